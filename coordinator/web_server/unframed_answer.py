"""Answers HTTP/1.0 clients, which know no chunks: an answer of unknown length ends with its connection.

uvicorn writes chunks to all of them. Proxies that speak HTTP/1.0 to what is behind them are still about.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

__all__ = ["unframed"]

_UNKNOWN = 2**62
"""Bytes that may be sent where the length is not told."""


def unframed(cycle: Any) -> Callable[[Any], Awaitable[None]]:
    """What sends the answer of ``cycle``, uvicorn's, in place of its own method; its request is of HTTP/1.0,
    whose connection is closed after the answer.
    """
    send: Callable[[Any], Awaitable[None]] = cycle.send
    length_is_unknown = False

    async def send_unframed(message: Any) -> None:
        nonlocal length_is_unknown
        if message["type"] == "http.response.start":
            names = {name.lower() for name, _ in message.get("headers", ())}
            length_is_unknown = b"content-length" not in names
            if length_is_unknown:
                cycle.chunked_encoding, cycle.expected_content_length = False, _UNKNOWN
        elif length_is_unknown and not message.get("more_body", False):
            cycle.expected_content_length = len(message.get("body", b""))
        await send(message)

    return send_unframed
