"""Ends connections whose clients are overdue, by looking at all of them once in a while.

A timer for each request would cost each of them; this costs a connection about a microsecond a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any, NoReturn

__all__ = ["end_overdue"]

BETWEEN_LOOKS = 1.0
"""Seconds: how late a client may be told that it is late; a tenth of the shortest bound, if that is less."""


async def end_overdue(connections: Collection[Any], shortest: float) -> NoReturn:
    """Have each of ``connections``, `HttpProtocol`s that come and go, end itself where it is overdue.
    ``shortest`` is the shortest of their bounds, in seconds.
    """
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(min(BETWEEN_LOOKS, shortest / 10))
        now = loop.time()
        for connection in tuple(connections):
            connection.end_if_overdue(now)
