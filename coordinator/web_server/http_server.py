"""The HTTP server around the application: a socket of our own, uvicorn, and our own signals.

bind ── connections are refused ── serving ── connections are answered ── end
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Callable, Iterator

import uvicorn
from fastapi import FastAPI
from uvicorn.loops.auto import auto_loop_factory

from coordinator.errors import OperatorError

from .http_protocol import HttpProtocol

__all__ = ["address", "answers", "bind", "event_loop_factory", "inherited", "serving"]

BACKLOG = 2048
KEEP_ALIVE_SECONDS = 75
"""For an idle connection: longer than common clients and proxies keep one, since a request that is
sent at the moment when the server hangs up is lost."""
SHUTDOWN_SECONDS = 3
"""For requests under way when the server is told to stop."""


def bind(host: str, port: int) -> socket.socket:
    """Take the port before anything else starts, so that a taken one is told at once. It refuses
    connections until something is `serving` there.

    ``port`` 0 takes a free one. Raises `OperatorError`.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as exc:  # a name that cannot be one is told by the latter
        why = getattr(exc, "strerror", None) or "no host can be called so"
        raise OperatorError(f"{host!r} is not an address here ({why}): {_OTHER_HOST}") from exc
    listener = socket.socket(family, kind, proto)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as exc:
        listener.close()
        raise OperatorError(_cannot_listen(host, port, exc)) from exc
    return listener


def answers(listener: socket.socket) -> bool:
    """Whether connections are taken there, by this process or by another that shares the socket."""
    return bool(listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _cannot_listen(host: str, port: int, exc: OSError) -> str:
    match exc.errno:
        case errno.EADDRINUSE:
            return f"Port {port} is taken: stop what listens there, or {_OTHER_PORT}"
        case errno.EACCES:
            return f"This user may not listen on port {port}: {_OTHER_PORT}, 1024 or higher"
        case errno.EADDRNOTAVAIL:
            return f"{host} is not an address of this machine: {_OTHER_HOST}"
    return f"Cannot listen on {host} port {port}: {exc.strerror}"


_OTHER_PORT = "choose another with --port or COORDINATOR_HTTP_PORT"
_OTHER_HOST = (
    "set --host or COORDINATOR_HTTP_HOST to one, such as 127.0.0.1, or 0.0.0.0 for all that it has"
)


def inherited(descriptor: int) -> socket.socket:
    """The socket that a parent process bound and left open for this one. Raises `OperatorError`."""
    try:
        return socket.socket(fileno=descriptor)
    except OSError as exc:
        raise OperatorError(
            f"--socket-fd {descriptor} is no socket that this process was given: {exc.strerror}"
        ) from exc


def address(listener: socket.socket) -> str:
    """Where ``listener`` can be reached, as a person can open it."""
    host, port = listener.getsockname()[:2]
    host = "127.0.0.1" if host == "0.0.0.0" else "::1" if host == "::" else host  # noqa: S104
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def event_loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """The quickest that is installed: uvloop, but for systems that it does not know."""
    return auto_loop_factory()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the program around it."""
        yield


@contextlib.asynccontextmanager
async def serving(app: FastAPI, listener: socket.socket) -> AsyncIterator[None]:
    """Answer requests on ``listener`` until the block is left; requests under way are finished.

    Raises `OperatorError` where another program has begun to listen there since it was bound.
    """
    try:
        listener.listen(BACKLOG)
    except OSError as exc:
        host, port = listener.getsockname()[:2]
        raise OperatorError(_cannot_listen(host, port, exc)) from exc
    config = uvicorn.Config(
        app,
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
