"""Bounds what one connection may cost: bytes of a request's head, seconds that the client is waited for, and
how many connections there may be at a time.
"""

from __future__ import annotations

import resource
from dataclasses import dataclass

__all__ = ["ConnectionBounds", "most_connections"]

LEAST_KEPT = 64
"""Descriptors that are left to the ledger, the broker's connections, logs and child processes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionBounds:
    """The defaults are those of the service; tests have shorter ones."""

    head_bytes: int = 64 * 1024
    """Of request line and headers together; as many of what follows a body in chunks, and of what describes
    the chunks, while no byte of the body comes. More is a 431."""

    head_seconds: float = 10.0
    """Until the first byte of the first request, and from the first byte of any head to its end, however
    many pieces come. Later is a 408. A TLS handshake has as long."""

    body_seconds: float = 30.0
    """Without a byte of the body, of a request that is not answered yet: a 408. A body that was answered
    before its end has as long to end; then the connection is closed."""

    answer_seconds: float = 60.0
    """In which the client takes nothing of what it is answered; then the connection is cut. Twice as long
    as for a body: what a slow client takes is seen here only when its system has room for much more."""

    idle_seconds: float = 75.0
    """Between two requests: longer than common clients and proxies keep a connection, since a request that
    is sent at the moment when the server hangs up is lost."""

    message_bytes: int = 64 * 1024
    """Of one message that comes over a WebSocket; the connection of a larger one is closed."""

    connections: int = 10_000
    """At a time; those beyond are answered 503."""


def most_connections(wanted: int) -> int:
    """``wanted``, or what the limit of open files of this process leaves room for beside its own, whichever
    is less.
    """
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return wanted
    return max(1, min(wanted, limit - max(LEAST_KEPT, limit // 8)))
