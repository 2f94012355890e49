"""Takes the listening socket that systemd passes (socket activation), and tells systemd when the service is
ready.

The protocol is that of sd_listen_fds(3) and sd_notify(3). The socket is the manager's: it goes on taking
connections while no process of the service runs, and several services may have the same one.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import MutableMapping
from contextlib import closing

from coordinator.errors import OperatorError

__all__ = ["activated_socket", "tell_ready"]

FIRST = 3
"""The number of the first file that is passed."""

_PASSED = ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES")

logger = logging.getLogger(__name__)


def activated_socket(
    environment: MutableMapping[str, str] = os.environ, first: int = FIRST
) -> socket.socket | None:
    """None where none was passed to this process. What tells of it is taken out of ``environment``, so that
    no child process takes it for its own. ``first`` is its number.

    Raises `OperatorError` for several sockets, and for one that no connections of TCP come by.
    """
    count, owner, _ = (environment.pop(name, "") for name in _PASSED)
    if owner != str(os.getpid()) or count in {"", "0"}:
        return None
    if count != "1":
        raise OperatorError(
            f"systemd has passed {count} sockets, and the service listens on one: leave a single"
            " ListenStream= in the socket unit"
        )
    try:
        passed = socket.socket(fileno=first)
    except OSError as exc:
        raise OperatorError(f"{_WANTED} ({exc.strerror})") from exc
    passed.set_inheritable(False)
    family = passed.family in {socket.AF_INET, socket.AF_INET6}
    if not (
        family
        and passed.type == socket.SOCK_STREAM
        and passed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    ):
        passed.close()
        raise OperatorError(_WANTED)
    return passed


_WANTED = (
    "What systemd has passed is no listening socket of TCP: the socket unit needs ListenStream= with an"
    " address and a port, and Accept=no"
)


def tell_ready() -> None:
    """Tell the service manager, where there is one that waits for it (`Type=notify`), that requests are
    answered now. One that hears nothing is only told of in the log: it gives up by itself.
    """
    place = os.environ.get("NOTIFY_SOCKET")
    if not place:
        return
    if place.startswith("@"):  # a name in the abstract namespace
        place = f"\0{place[1:]}"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as speaker:
        try:
            speaker.connect(place)
            speaker.send(b"READY=1")
        except OSError as exc:
            logger.warning("the service manager cannot be told that the service is ready: %s", exc)
