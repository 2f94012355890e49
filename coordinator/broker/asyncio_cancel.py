"""Cancels asyncio tasks and waits until they have ended."""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["cancel_and_wait"]

AGAIN_AFTER = 1.0
"""Seconds before a task that still runs is cancelled again."""


async def cancel_and_wait(*tasks: asyncio.Task[Any]) -> None:
    """Cancel ``tasks`` and wait until all have ended, however they end.

    Cancelled again while they run: on Python 3.11 `asyncio.wait_for`, which the driver uses when it
    connects, may lose a cancellation.
    """
    running = {task for task in tasks if not task.done()}
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=AGAIN_AFTER)
