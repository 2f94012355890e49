"""Drains connections before the server ends, so that a restart refuses no request.

serving ── begun: each answer ends its connection ── no more are accepted ── they have come to rest ── end

A client that keeps a connection open may send a request at the very moment when the server closes it, and
cannot know whether it was read. So the server closes none that may still be used: it says `Connection: close`
with the next answer on it, and the client opens another, which goes to whoever listens now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

__all__ = ["Draining", "until_at_rest"]

LOOK = 0.02
"""Seconds between two looks at whether a connection is left."""


@dataclass(slots=True, kw_only=True)
class Draining:
    """Is shared by the connections of a server."""

    begun: bool = False
    """From now on the answer to a request is the last one on its connection."""


async def until_at_rest(connections: Collection[object], *, within: float) -> None:
    """Wait until no connection is left, ``within`` seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while connections and loop.time() < deadline:  # noqa: ASYNC110 - uvicorn tells of none
        await asyncio.sleep(LOOK)
