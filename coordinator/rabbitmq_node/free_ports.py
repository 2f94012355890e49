"""Chooses free TCP ports on 127.0.0.1."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterable, Sequence

from coordinator.errors import OperatorError

__all__ = ["choose_port", "is_free"]

FREE_PORTS = range(20_000, 32_000)
"""Below the range that Linux takes for outgoing connections, so that a chosen port stays free."""


def choose_port(
    preferred: Iterable[int | None],
    *,
    taken: set[int],
    draw: Callable[[Sequence[int]], int] = random.choice,
) -> int:
    """The first of the ``preferred`` ports that is free, else any that is; added to ``taken``. ``draw`` takes
    one of many at random. Raises `OperatorError` where none is found.
    """
    known = (port for port in preferred if port is not None)
    random_ports = (draw(FREE_PORTS) for _ in range(1000))
    for candidates in (known, random_ports):
        for port in candidates:
            if port not in taken and is_free(port):
                taken.add(port)
                return port
    raise OperatorError("No free TCP port was found on 127.0.0.1")


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
