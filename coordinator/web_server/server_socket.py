"""Binds the socket of the HTTP server, or takes the one that its parent process bound; tells its address."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass

from coordinator.errors import OperatorError

__all__ = [
    "METRICS",
    "ListenerAdvice",
    "address",
    "answers",
    "bind",
    "cannot_listen",
    "inherited",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerAdvice:
    """Says with which options or settings another address is chosen, at the end of an error's sentence."""

    port: str = "choose another with --port or COORDINATOR_HTTP_PORT"
    host: str = (
        "set --host or COORDINATOR_HTTP_HOST to one, such as 127.0.0.1, or 0.0.0.0 for all that it"
        " has"
    )


API = ListenerAdvice()

METRICS = ListenerAdvice(
    port="choose another with COORDINATOR_METRICS_PORT",
    host="set COORDINATOR_METRICS_HOST to one, such as 127.0.0.1, or 0.0.0.0 for all that it has",
)


def bind(host: str, port: int, advice: ListenerAdvice = API) -> socket.socket:
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
        raise OperatorError(f"{host!r} is not an address here ({why}): {advice.host}") from exc
    listener = socket.socket(family, kind, proto)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as exc:
        listener.close()
        raise OperatorError(cannot_listen(host, port, exc, advice)) from exc
    return listener


def answers(listener: socket.socket) -> bool:
    """Whether connections are taken there, by this process or by another that shares the socket."""
    return bool(listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def cannot_listen(host: str, port: int, exc: OSError, advice: ListenerAdvice = API) -> str:
    """One sentence that says why, and what to do."""
    match exc.errno:
        case errno.EADDRINUSE:
            return f"Port {port} is taken: stop what listens there, or {advice.port}"
        case errno.EACCES:
            return f"This user may not listen on port {port}: {advice.port}, 1024 or higher"
        case errno.EADDRNOTAVAIL:
            return f"{host} is not an address of this machine: {advice.host}"
    return f"Cannot listen on {host} port {port}: {exc.strerror}"


def inherited(descriptor: int) -> socket.socket:
    """The socket that a parent process bound and left open for this one. Raises `OperatorError`."""
    try:
        return socket.socket(fileno=descriptor)
    except OSError as exc:
        raise OperatorError(
            f"--socket-fd {descriptor} is no socket that this process was given: {exc.strerror}"
        ) from exc


def address(listener: socket.socket, *, tls: bool = False) -> str:
    """The URL where ``listener`` can be reached, as a person can open it; https:// with ``tls``."""
    host, port = listener.getsockname()[:2]
    host = "127.0.0.1" if host == "0.0.0.0" else "::1" if host == "::" else host  # noqa: S104
    scheme = "https" if tls else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
