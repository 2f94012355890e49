"""Reads a plain request without the framework: a POST of JSON with a Content-Length, and nothing unusual.

Whatever is not plain is left untouched for the application, to whom `PlainRequest.again` gives what was
received already.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydantic_core import to_json
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from coordinator.protocol.trace_context import TRACEPARENT, TRACESTATE, TraceContext

__all__ = ["SINGLE_HEADERS", "PlainRequest", "plain_request", "request_trace", "send_json"]

SINGLE_HEADERS = "coordinator.headers"
"""Where the guard leaves the headers of a request in its scope, by name, if none comes twice."""

_JSON = (b"application/json", b"application/json; charset=utf-8")

_NOT_PLAIN = frozenset({b"idempotency-key", b"transfer-encoding", b"content-encoding", b"expect"})
"""Headers of requests that are for the ordinary endpoint."""

_TRACE = (TRACEPARENT.encode(), TRACESTATE.encode())


@dataclass(slots=True, kw_only=True)
class PlainRequest:
    """Keeps what of a request was read."""

    length: int
    """Of the body, in bytes; not too large."""
    trace: TraceContext | None
    receive: Receive
    received: list[Message] = field(default_factory=list)

    async def content(self) -> bytes:
        """The whole body. Raises `ValueError` where it does not come as it was announced."""
        parts: list[bytes] = []
        left, more = self.length, True
        while more:
            message = await self._next()
            parts.append(message.get("body", b""))
            left -= len(parts[-1])
            if message["type"] != "http.request" or left < 0:
                raise ValueError("not a body that can be read here")
            more = message.get("more_body", False)
        if left:
            raise ValueError("a body that was cut short")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def again(self) -> Message:
        """``receive`` from the beginning."""
        return self.received.pop(0) if self.received else await self.receive()

    async def _next(self) -> Message:
        message = await self.receive()
        self.received.append(message)
        return message


def plain_request(scope: Scope, receive: Receive, *, max_bytes: int) -> PlainRequest | None:
    """None for a request that is not plain, or has more than ``max_bytes``."""
    if scope["method"] != "POST" or scope["query_string"]:
        return None
    length = content_type = None
    trace: list[tuple[bytes, bytes]] = []
    for name, value in scope["headers"]:
        if name == b"content-length":
            length = value
        elif name == b"content-type" and content_type is None:
            content_type = value
        elif name in _TRACE:
            trace.append((name, value))
        elif name in _NOT_PLAIN:
            return None
    if content_type not in _JSON or length is None or not length.isdigit():
        return None
    if int(length) > max_bytes:
        return None
    told = request_trace(Headers(raw=trace)) if trace else None
    return PlainRequest(length=int(length), trace=told, receive=receive)


def request_trace(headers: Headers) -> TraceContext | None:
    """The trace context that the headers of a request tell."""
    return TraceContext.of(headers.get(TRACEPARENT), ",".join(headers.getlist(TRACESTATE)))


async def send_json(answer: dict[str, Any], send: Send) -> None:
    """A 200 with this body."""
    content = to_json(answer, inf_nan_mode="null")
    headers = [
        (b"content-length", b"%d" % len(content)),
        (b"content-type", b"application/json"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})
