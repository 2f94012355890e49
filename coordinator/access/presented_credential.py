"""Finds the credential of a request: `Authorization: Bearer`, `X-API-Key`, or `?token=` of a stream.

A query is written to logs of proxies and to the history of browsers. So `?token=` counts only where a browser
cannot send a header: for WebSockets, and for streams of server-sent events.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import parse_qs

from coordinator.errors import NotAuthenticated

__all__ = ["presented_credential", "takes_query_token"]

_STREAMS = re.compile(r"/events|/tasks/.+/stream")
"""Paths, without `/v1`, that answer with server-sent events."""

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


def takes_query_token(kind: str, path: str) -> bool:
    """Whether `?token=` counts: ``kind`` is ASGI's type of the connection, ``path`` is without `/v1`."""
    return kind == "websocket" or _STREAMS.fullmatch(path) is not None


def _bearer(value: bytes) -> str:
    scheme, _, credential = value.decode("latin-1").strip().partition(" ")
    if scheme.lower() != "bearer" or not credential.strip():
        raise NotAuthenticated(_SCHEME)
    return credential.strip()
