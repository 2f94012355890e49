"""Serves the application over HTTP with uvicorn, on a socket that is bound already, and leaves signals alone.

bind ── connections are refused ── serving ── connections are answered ── they are drained ── end
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial

import uvicorn
from starlette.types import ASGIApp
from uvicorn.loops.auto import auto_loop_factory

from coordinator.api import NotesError
from coordinator.errors import OperatorError

from .connection_draining import Draining, accept_the_last, turn_away, until_at_rest
from .http_protocol import HttpProtocol
from .overdue_connections import end_overdue
from .server_options import ServerOptions
from .server_socket import cannot_listen

__all__ = ["event_loop_factory", "serving"]

BACKLOG = 2048
"""Connections that wait to be accepted."""
SHUTDOWN_SECONDS = 3
"""For requests under way when the server is told to stop."""


def event_loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """The quickest that is installed: uvloop, but for systems that it does not know."""
    return auto_loop_factory()


class _Server(uvicorn.Server):
    """Serves one socket that is bound already."""

    def __init__(
        self,
        config: uvicorn.Config,
        options: ServerOptions,
        note_error: NotesError | None,
        *,
        shared: bool,
    ) -> None:
        super().__init__(config)
        self._options = options
        self._shared = shared
        self._note_error = note_error
        self._draining = Draining()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the program around it."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn does it, but that a TLS handshake has the time of a head, and not a minute."""
        tls = self._options.tls
        make = partial(
            HttpProtocol,
            config=self.config,
            server_state=self.server_state,
            app_state={},
            bounds=self._options.bounds,
            draining=self._draining,
            note_error=self._note_error,
        )
        loop = asyncio.get_running_loop()
        self.servers = [
            await loop.create_server(
                make,
                sock=one,
                backlog=BACKLOG,
                ssl=None if tls is None else tls.context,
                ssl_handshake_timeout=None if tls is None else self._options.bounds.head_seconds,
            )
            for one in sockets or ()
        ]
        self.started = True

    async def drain(self, stopping: Callable[[], None]) -> None:
        """Answer for as long as the options say; then accept no more connections, end the streams by
        ``stopping``, and wait for a while until those that there are have come to rest.
        """
        self._draining.begun = True
        await asyncio.sleep(self._options.drain_seconds)
        listeners = [one for server in self.servers for one in server.sockets]
        if not self._shared:
            for one in listeners:
                turn_away(one)
        await accept_the_last(listeners, within=SHUTDOWN_SECONDS)
        for server in self.servers:
            server.close()
        stopping()
        await until_at_rest(self.server_state.connections, within=SHUTDOWN_SECONDS)


_PLAIN = ServerOptions()


@contextlib.asynccontextmanager
async def serving(
    app: ASGIApp,
    listener: socket.socket,
    options: ServerOptions = _PLAIN,
    *,
    shared: bool = False,
    traced: bool = False,
    note_error: NotesError | None = None,
    leaving: Callable[[], None] = lambda: None,
    stopping: Callable[[], None] = lambda: None,
) -> AsyncIterator[None]:
    """Answer requests on ``listener`` until the block is left, and for ``options.drain_seconds`` after that;
    requests under way are finished. ``shared`` says that other processes have the socket, too, so that
    it is not for this one to turn connections away. With ``traced`` each has a span, for which OpenTelemetry
    is imported.
    ``note_error`` is told of what is answered with an error before ``app`` sees it. ``leaving`` is called
    when the block is left, and sees to it that others are asked; ``stopping`` before the end, once, and ends
    the answers that do not end by themselves.

    Raises `OperatorError` where another program has begun to listen there since it was bound.
    """
    try:
        listener.listen(BACKLOG)
    except OSError as exc:
        host, port = listener.getsockname()[:2]
        raise OperatorError(cannot_listen(host, port, exc)) from exc
    bounds = options.bounds
    config = uvicorn.Config(
        _traced(app, options.root_path) if traced else app,
        http=HttpProtocol,
        ws="none",  # `HttpProtocol` hands over by itself
        ws_max_size=bounds.message_bytes,
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        lifespan="off",
        # What a proxy says is believed where it was named; uvicorn believes all of loopback.
        proxy_headers=bool(options.trusted_proxies),
        forwarded_allow_ips=list(options.trusted_proxies),
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    server = _Server(config, options, note_error, shared=shared)
    shortest = min(bounds.head_seconds, bounds.body_seconds, bounds.answer_seconds)
    works = [
        asyncio.create_task(
            end_overdue(server.server_state.connections, shortest), name="overdue connections"
        )
    ]
    if options.tls is not None:
        works.append(asyncio.create_task(options.tls.keep(), name="TLS files"))
    task = asyncio.create_task(server.serve([listener]), name="http server")
    try:
        yield
    finally:
        leaving()
        if options.drain_seconds > 0:
            await server.drain(stopping)
        else:
            stopping()
        server.should_exit = True
        await task
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)


def _traced(app: ASGIApp, root_path: str) -> ASGIApp:
    from .traced_application import traced_application  # noqa: PLC0415 - not installed everywhere

    return traced_application(app, root_path)
