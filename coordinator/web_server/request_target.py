"""Reads a target that names a host (absolute-form): that host counts, and the header `Host` does not.

Clients of proxies write `GET http://host/path`, and a server has to understand it (RFC 9112, 3.2.2). Were the
header believed, whoever asks what stands before this service for one host could be served as another.
"""

from __future__ import annotations

import re

__all__ = ["with_host_of_target"]

_ABSOLUTE = re.compile(rb"(?i:https?)://(?P<host>[^/?#@]+)(?P<rest>[/?].*|)")

Headers = list[tuple[bytes, bytes]]


def with_host_of_target(target: bytes, version: str, headers: Headers) -> bytes:
    """Path and query of ``target``; its host is put into ``headers``, whose names are in lower case. Those
    with two `Host`, or with none where ``version`` of HTTP asks for one, stay as they are: whoever reads them
    refuses them. The target of `OPTIONS *` stays, too. Raises `ValueError` for one of another kind, or with a
    user in it.
    """
    if target == b"*":
        return target
    found = _ABSOLUTE.fullmatch(target)
    if found is None:
        raise ValueError("neither a path nor a URL of HTTP")
    places = [place for place, (name, _) in enumerate(headers) if name == b"host"]
    if len(places) == 1:
        headers[places[0]] = (b"host", found["host"])
    elif not places and version == "1.0":
        headers.append((b"host", found["host"]))
    rest = found["rest"]
    return rest if rest.startswith(b"/") else b"/" + rest
