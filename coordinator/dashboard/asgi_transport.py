"""Hands requests of httpx to an ASGI application in the same process, and streams its answers back.

`httpx.ASGITransport` collects an answer before it gives it: a stream of events would never come.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import httpx
from starlette.types import ASGIApp, Message, Scope

__all__ = ["AsgiTransport"]

AHEAD = 8
"""Pieces of an answer that wait to be read; the application waits before it sends more."""

logger = logging.getLogger(__name__)


class AsgiTransport(httpx.AsyncBaseTransport):
    """Calls ``app`` for each request. ``client`` is the address that the application is told it comes from,
    such as the browser's, for its audit log.
    """

    def __init__(self, app: ASGIApp, client: tuple[str, int] | None = None) -> None:
        self._app = app
        self._client = client

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises `httpx.ReadError` where the application gives no answer."""
        body = b"".join([piece async for piece in _pieces(request)])
        call = _Call(self._app, _scope(request, self._client), body)
        status, headers = await call.head()
        return httpx.Response(status, headers=headers, stream=call)


async def _pieces(request: httpx.Request) -> AsyncIterator[bytes]:
    stream: Any = request.stream  # that of an asynchronous client is asynchronous
    async for piece in stream:
        yield piece


def _scope(request: httpx.Request, client: tuple[str, int] | None) -> Scope:
    path = request.url.raw_path.partition(b"?")[0]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": request.url.path,
        "raw_path": path,
        "root_path": "",
        "query_string": request.url.query,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "server": ("127.0.0.1", 80),
        "client": client,
    }


class _Call(httpx.AsyncByteStream):
    """Is one request, and the body of its answer. To close it tells the application that nobody listens."""

    def __init__(self, app: ASGIApp, scope: Scope, body: bytes) -> None:
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue(AHEAD)
        self._body: bytes | None = body
        self._gone = asyncio.Event()
        self._run = asyncio.create_task(self._answer(app, scope))

    async def head(self) -> tuple[int, list[tuple[bytes, bytes]]]:
        """Status and headers of the answer."""
        try:
            message = await self._messages.get()
        except asyncio.CancelledError:
            await self.aclose()
            raise
        if message is None:
            raise httpx.ReadError("The API ended without an answer")
        return message["status"], list(message["headers"])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (message := await self._messages.get()) is not None:
            if piece := message.get("body", b""):
                yield piece
            if not message.get("more_body", False):
                return

    async def aclose(self) -> None:
        self._gone.set()
        self._run.cancel()
        with suppress(asyncio.CancelledError):
            await self._run

    async def _answer(self, app: ASGIApp, scope: Scope) -> None:
        try:
            await app(scope, self._receive, self._messages.put)
        except Exception:
            logger.exception("the API failed while it answered the dashboard")
        finally:
            with suppress(
                asyncio.QueueFull
            ):  # whoever has not read it all is not waiting for its end
                self._messages.put_nowait(None)

    async def _receive(self) -> Message:
        body, self._body = self._body, None
        if body is not None:
            return {"type": "http.request", "body": body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}
