"""Finds the credential of a request: `Authorization: Bearer`, `X-API-Key`, or `?token=` of a stream.

A query is written to logs of proxies and to the history of browsers. So `?token=` counts only where a browser
cannot send a header: for WebSockets, and for streams of server-sent events.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qs

from coordinator.errors import NotAuthenticated

__all__ = ["plain_key", "presented_credential", "takes_query_token"]

_STREAMS = re.compile(r"/events|/tasks/.+/stream")
"""Paths, without `/v1`, that answer with server-sent events."""

_BEARER = b"Bearer "

_TWO = "The request has two different credentials: send one"

_SCHEME = "Authorization must be `Bearer` with an API key or a JWT"


def presented_credential(headers: Iterable[tuple[bytes, bytes]], query: bytes | None) -> str | None:
    """The credential, None where there is none; ``query`` is given only where `takes_query_token` says so.
    Raises `NotAuthenticated` for what is none, and where there are two.
    """
    found: str | None = None
    for name, value in headers:
        if name == b"authorization":
            given = _bearer(value)
        elif name == b"x-api-key":
            given = value.decode("latin-1").strip()
        else:
            continue
        if found not in (None, given):
            raise NotAuthenticated(_TWO)
        found = given
    if query:
        tokens = {*parse_qs(query.decode("latin-1")).get("token", ())} | ({found} - {None})
        if len(tokens) > 1:
            raise NotAuthenticated(_TWO)
        found = next(iter(tokens), None)
    return found or None


def plain_key(headers: Mapping[bytes, bytes]) -> bytes | None:
    """What may be an API key, where it stands in one header alone and as clients write it; None for all else,
    which `presented_credential` looks at. The usual case, at a fraction of the cost.
    """
    bearer, key = headers.get(b"authorization"), headers.get(b"x-api-key")
    if bearer is None:
        return key
    return bearer[len(_BEARER) :] if key is None and bearer.startswith(_BEARER) else None


def takes_query_token(kind: str, path: str) -> bool:
    """Whether `?token=` counts: ``kind`` is ASGI's type of the connection, ``path`` is without `/v1`."""
    return kind == "websocket" or _STREAMS.fullmatch(path) is not None


def _bearer(value: bytes) -> str:
    scheme, _, credential = value.decode("latin-1").strip().partition(" ")
    if scheme.lower() != "bearer" or not credential.strip():
        raise NotAuthenticated(_SCHEME)
    return credential.strip()
