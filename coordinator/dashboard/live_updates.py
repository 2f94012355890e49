"""Tells a browser that something has changed, as server-sent events: the page then asks for itself anew.

A page is told at most four times a second, however much happens, and what happened is not parsed for it.
What a task says while it works is handed on as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from coordinator.client import AsyncClient, ClientError, Unsendable
from coordinator.client.exchange.http_messages import ApiRequest
from coordinator.client.exchange.http_messages import request as api_request
from coordinator.client.exchange.programs import NextPiece, Program, emit, listening
from coordinator.client.exchange.server_sent_events import FrameParser

from .api_access import ReachesApi
from .key_cookie import key_of

__all__ = ["LiveUpdates"]

BETWEEN = 0.25
"""Seconds from one "changed" to the next."""

SILENCE = 45.0
"""Seconds without a byte after which the stream of the API counts as lost: three of its heartbeats."""

CHANGED = b"event: changed\ndata:\n\n"

OPEN = b": open\nretry: 1000\n\n"


class LiveUpdates:
    """Answers `EventSource` of pages. A stream ends when that of the API does: the browser comes back."""

    def __init__(self, api: ReachesApi) -> None:
        self._api = api

    async def changes(self, request: Request) -> Response:
        """That an event of one of the types in the query has happened."""
        types = request.query_params.getlist("type")
        return await self._stream(request, "events", query={"type": types}, output=False)

    async def task(self, request: Request) -> Response:
        """That something has happened to one task, and what it says while it works."""
        task_id = request.query_params.get("task_id", "")
        return await self._stream(request, "tasks", task_id, "stream", output=True)

    async def _stream(
        self,
        request: Request,
        *path: str,
        query: Mapping[str, Any] | None = None,
        output: bool,
    ) -> Response:
        try:
            asked = api_request("GET", *path, query=query)
        except Unsendable as exc:
            return Response(str(exc), 422, media_type="text/plain")
        address = None if request.client is None else (request.client.host, request.client.port)
        client = self._api.client(key_of(request), address)
        pieces = client.items(_pieces(asked, client))
        try:
            await anext(pieces)
        except ClientError as exc:
            await client.close()
            return Response(str(exc), getattr(exc, "status", 502), media_type="text/plain")
        told = _output_and_changes(pieces) if output else _changes(pieces)
        return StreamingResponse(
            _until_closed(client, told),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )


def _pieces(asked: ApiRequest, client: AsyncClient) -> Program[None]:
    """Emits None when the stream is open, then bytes as they come."""
    yield from listening(asked, client.now, silence=SILENCE, at_most=None)
    yield from emit(None)
    while (piece := (yield NextPiece())) is not None:
        yield from emit(piece)


async def _until_closed(
    client: AsyncClient, told: AsyncGenerator[bytes, None]
) -> AsyncIterator[bytes]:
    try:
        yield OPEN
        async with aclosing(told):
            with suppress(ClientError):  # the browser opens another
                async for one in told:
                    yield one
    finally:
        await client.close()


async def _changes(pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Reads on while it waits, so that a flood of events is one change, and the last of it is told."""
    heard = asyncio.Event()
    reader = asyncio.create_task(_hear(pieces, heard))
    try:
        while not (reader.done() and not heard.is_set()):
            waiting = asyncio.create_task(heard.wait())
            await asyncio.wait({reader, waiting}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if heard.is_set():
                heard.clear()
                yield CHANGED
                await asyncio.sleep(BETWEEN)
        await reader
    finally:
        reader.cancel()
        with suppress(asyncio.CancelledError, ClientError):
            await reader
        await pieces.aclose()


async def _hear(pieces: AsyncGenerator[bytes, None], heard: asyncio.Event) -> None:
    async for piece in pieces:
        if b"data:" in piece:  # what has none is a heartbeat
            heard.set()


async def _output_and_changes(pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    parser = FrameParser()
    async with aclosing(pieces):
        async for piece in pieces:
            changed = False
            for frame in parser.feed(piece):
                if frame.event.startswith("output."):
                    yield f"event: {frame.event}\ndata: {frame.data}\n\n".encode()
                elif frame.event == "stream.end":
                    yield b"event: ended\ndata:\n\n"
                elif frame.data:
                    changed = True
            if changed:
                yield CHANGED
