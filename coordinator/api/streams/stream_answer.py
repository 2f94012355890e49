"""Answers with server-sent events: the frames of a stream, a heartbeat between them, and its end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Protocol

from fastapi import Request, Response
from sse_starlette.event import ServerSentEvent
from sse_starlette.sse import EventSourceResponse
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from coordinator.api.openapi_document import NOT_TAKEN

__all__ = ["ENDLESS", "StreamAnswer", "StreamsFrames", "check_accept", "head_of_stream"]

HEARTBEAT = 15
"""Seconds between two comments, for proxies that cut what is silent, and to notice clients that are gone."""

_HEADERS = {
    "Cache-Control": "no-store, no-transform",  # a proxy that compresses keeps events back
    "X-Accel-Buffering": "no",
}


ENDLESS = "endless"
"""What an answer says in the state of its request that goes on until somebody hangs up: for it, a client that
sends nothing more is gone, see `web_server.http_protocol`."""


class StreamsFrames(Protocol):
    """Has the frames of one stream: `coordinator.streaming.event_stream.EventStream`."""

    def frames(self) -> AsyncIterator[bytes]:
        """Called once. It is closed, or cancelled, where the client is gone; raises nothing."""
        ...

    def heartbeat(self) -> ServerSentEvent:
        """Called every `HEARTBEAT` seconds while the answer lasts."""
        ...


class StreamAnswer(EventSourceResponse):
    """Sends what a ``stream`` has. ``closed`` is called once, when nothing more is sent, for any reason."""

    def __init__(self, stream: StreamsFrames, *, closed: Callable[[], None]) -> None:
        super().__init__(
            stream.frames(),
            headers=_HEADERS,
            ping=HEARTBEAT,
            ping_message_factory=stream.heartbeat,
            sep="\n",
        )
        self._closed = closed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.get("state", {})[ENDLESS] = True
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._closed()


def head_of_stream() -> Response:
    """What a HEAD is answered: there is such a stream, and it would begin."""
    return Response(media_type="text/event-stream", headers=_HEADERS)


def check_accept(request: Request) -> None:
    """Raises a 406 for a client that takes no server-sent events."""
    ranges = [one for value in request.headers.getlist("accept") for one in value.split(",")]
    if ranges and not any(_takes(one) for one in ranges):
        raise HTTPException(406, NOT_TAKEN)


def _takes(media_range: str) -> bool:
    name, *parameters = (part.strip().lower() for part in media_range.split(";"))
    if name not in ("text/event-stream", "text/*", "*/*", ""):
        return False
    return not any(_is_zero(parameter) for parameter in parameters)


def _is_zero(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and value.strip().strip("0.") == ""
