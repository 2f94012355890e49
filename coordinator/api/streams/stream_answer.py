"""Answers with server-sent events: the frames of a stream, to its end or until the client is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import anyio
from fastapi import Request, Response
from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from coordinator.api.openapi_document import NOT_TAKEN
from coordinator.errors import LedgerUnavailable, StreamRefused
from coordinator.streaming.stream_frames import come_again

__all__ = ["ENDLESS", "StreamAnswer", "check_accept", "head_of_stream", "or_come_again"]

_HEADERS = {
    "Cache-Control": "no-store, no-transform",  # a proxy that compresses keeps events back
    "X-Accel-Buffering": "no",
}


ENDLESS = "endless"
"""What an answer says in the state of its request that goes on until somebody hangs up: for it, a client that
sends nothing more is gone, see `web_server.http_protocol`."""


class StreamAnswer(StreamingResponse):
    """Sends ``frames`` as they come. ``closed`` is called once, when nothing more is sent, for any reason.

    Each subscriber has one of these all the time, so that it is small: one task beside that of the request.
    The answer of sse-starlette has four more, which take as much memory as all else of a subscriber.
    """

    media_type = "text/event-stream"

    def __init__(self, frames: AsyncIterator[bytes], *, closed: Callable[[], None]) -> None:
        super().__init__(frames, headers=_HEADERS)
        self._frames: Any = frames
        self._closed = closed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.get("state", {})[ENDLESS] = True
        with anyio.CancelScope() as sending:
            listening = asyncio.create_task(_cancel_once_gone(receive, sending))
            try:
                async with aclosing(self._frames):
                    await self.stream_response(send)
            finally:
                listening.cancel()
                self._closed()


async def _cancel_once_gone(receive: Receive, sending: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
    sending.cancel()


async def or_come_again(request: Request, answer: Awaitable[Response]) -> Response:
    """``answer``; where that cannot be given right now, a client that has come back is told to come again.

    A browser comes back by itself after a stream that has ended, but never again after a status other than
    200: a database that is away for a moment would end all its streams for good.
    """
    try:
        return await answer
    except (LedgerUnavailable, StreamRefused) as exc:
        if "last-event-id" not in request.headers:
            raise
        return Response(come_again(str(exc)), media_type=StreamAnswer.media_type, headers=_HEADERS)


def head_of_stream() -> Response:
    """What a HEAD is answered: there is such a stream, and it would begin. Its length is not known."""
    answer = Response(media_type="text/event-stream", headers=_HEADERS)
    del answer.headers["content-length"]
    return answer


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
