"""Serves the application over HTTP with uvicorn, on a socket that is bound already, and leaves signals alone.

bind ── connections are refused ── serving ── connections are answered ── end
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp
from uvicorn.loops.auto import auto_loop_factory

from coordinator.errors import OperatorError

from .http_protocol import HttpProtocol
from .server_socket import cannot_listen

__all__ = ["event_loop_factory", "serving"]

BACKLOG = 2048
"""Connections that wait to be accepted."""
KEEP_ALIVE_SECONDS = 75
"""For an idle connection: longer than common clients and proxies keep one, since a request that is
sent at the moment when the server hangs up is lost."""
SHUTDOWN_SECONDS = 3
"""For requests under way when the server is told to stop."""


def event_loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """The quickest that is installed: uvloop, but for systems that it does not know."""
    return auto_loop_factory()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the program around it."""
        yield


@contextlib.asynccontextmanager
async def serving(
    app: FastAPI, listener: socket.socket, *, traced: bool = False
) -> AsyncIterator[None]:
    """Answer requests on ``listener`` until the block is left; requests under way are finished. With
    ``traced`` each has a span, for which OpenTelemetry is imported.

    Raises `OperatorError` where another program has begun to listen there since it was bound.
    """
    try:
        listener.listen(BACKLOG)
    except OSError as exc:
        host, port = listener.getsockname()[:2]
        raise OperatorError(cannot_listen(host, port, exc)) from exc
    config = uvicorn.Config(
        _traced(app) if traced else app,
        http=HttpProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve([listener]), name="http server")
    try:
        yield
    finally:
        server.should_exit = True
        await task


def _traced(app: FastAPI) -> ASGIApp:
    from .traced_application import traced_application  # noqa: PLC0415 - not installed everywhere

    return traced_application(app)
