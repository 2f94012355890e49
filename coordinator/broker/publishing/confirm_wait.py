"""Waits for one confirm: `asyncio.wait` for a single future, at a fraction of its cost."""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["retrieve_error", "wait_until_settled"]


async def wait_until_settled(sent: asyncio.Future[Any], deadline: float) -> None:
    """Wait until it is answered, or ``deadline`` is past on the clock of the event loop. Whoever waits may be
    cancelled; ``sent`` is not.
    """
    loop = asyncio.get_running_loop()
    over = loop.create_future()

    def end(_: object = None) -> None:
        if not over.done():
            over.set_result(None)

    timer = loop.call_at(deadline, end)
    sent.add_done_callback(end)
    try:
        await over
    finally:
        timer.cancel()
        sent.remove_done_callback(end)


def retrieve_error(sent: asyncio.Future[Any]) -> None:
    """Look at the error of a confirm, so that asyncio does not report it: whoever waited may be gone."""
    if not sent.cancelled():
        sent.exception()
