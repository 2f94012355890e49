"""Drains connections before the server ends, so that a restart refuses no request.

serving ── begun: each answer ends its connection ── SYNs are dropped ── what waits in the backlog is accepted
── close: connection refused ── connections have come to rest ── end

A client that keeps a connection open may send a request at the very moment when the server closes it, and
cannot know whether it was read. So the server closes none that may still be used: it says `Connection: close`
with the next answer on it, and the client opens another, which goes to whoever listens now.

Nor does it close its socket while one waits to be accepted. The kernel completes a handshake by itself, the
client may have sent a request already, and closing the socket would reset what waits there: a proxy answers
502 then, since it cannot know either. A filter of Linux on the socket keeps others from coming to wait. Who
is turned away asks again after a second, as for any packet that is lost, and is refused at once: a proxy
tries another server.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import select
import socket
import struct
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass

__all__ = ["Draining", "accept_the_last", "turn_away", "until_at_rest"]

logger = logging.getLogger(__name__)

LOOK = 0.02
"""Seconds between two looks at whether a connection is left."""

HANDSHAKES = 0.5
"""Seconds in which a handshake that has begun comes to its end, and in which another process that was told to
stop at the same time has called `turn_away`.
"""

SO_ATTACH_FILTER = 26
"""Of Linux (asm-generic/socket.h); the module `socket` has no name for it."""
_DROP_SYN = (
    # code, jump if true, jump if false, value (linux/filter.h); the packet begins with the header of TCP
    (0x30, 0, 0, 13),  # load the byte of the flags
    (0x54, 0, 0, 0x12),  # of which SYN and ACK count
    (0x15, 0, 1, 0x02),  # SYN alone: somebody asks for a connection
    (0x06, 0, 0, 0),  # is dropped
    (0x06, 0, 0, 0xFFFFFFFF),  # all else passes
)


@dataclass(slots=True, kw_only=True)
class Draining:
    """Is shared by the connections of a server."""

    begun: bool = False
    """From now on the answer to a request is the last one on its connection."""


def turn_away(listener: socket.socket) -> None:
    """Let no connection begin on this socket any more, in whatever process it is open.

    A system that has no such filter is left as it is: who connects while the socket is closed may be reset.
    """
    if sys.platform != "linux" or listener.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    program = ctypes.create_string_buffer(
        b"".join(struct.pack("HBBI", *line) for line in _DROP_SYN)
    )
    filtering = struct.pack("HL", len(_DROP_SYN), ctypes.addressof(program))
    try:
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, filtering)
    except OSError as exc:
        logger.warning(
            "connections may be reset at the end: no socket filter here: %s", exc.strerror
        )


async def accept_the_last(listeners: Sequence[socket.socket], *, within: float) -> None:
    """Wait until the server has accepted every connection whose handshake is over, ``within`` seconds where
    more of them come all the time.
    """
    loop = asyncio.get_running_loop()
    await asyncio.sleep(HANDSHAKES)
    deadline = loop.time() + within
    while select.select(listeners, (), (), 0)[0] and loop.time() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0)  # each pass of the loop accepts some


async def until_at_rest(connections: Collection[object], *, within: float) -> None:
    """Wait until no connection is left, ``within`` seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while connections and loop.time() < deadline:  # noqa: ASYNC110 - uvicorn tells of none
        await asyncio.sleep(LOOK)
