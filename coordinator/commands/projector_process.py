"""Keeps the process that folds the log beside the one that answers requests, which is its parent.

    this process: HTTP, submissions
      └── `coordinator serve --duty projecting`: log ─▶ ledger, outbox, schedules, retention, recovery

Folding holds the interpreter's lock for milliseconds at a time, in which no request of the same process goes
on. Why the parent is no process of its own that supervises both: docs/decisions/0025.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from coordinator.broker.asyncio_cancel import cancel_and_wait
from coordinator.settings import Settings

from .kept_processes import PROJECTING, KeptProcesses

__all__ = ["beside_projector"]


async def beside_projector(
    settings: Settings, work: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    """Run ``work`` while a projecting process runs, which begins first and ends last: requests under way may
    wait for the ledger. ``work`` is called once and may import what takes long.

    Raises what ``work`` raises, or the `OperatorError` of a process that cannot start.
    """
    processes = KeptProcesses(settings)
    both: list[asyncio.Task[Any]] = []
    try:
        both.append(asyncio.create_task(processes.keep("projecting process", *PROJECTING)))
        await asyncio.sleep(0)  # it is started now
        both.append(asyncio.create_task(work()))
        done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await cancel_and_wait(*both[1:])
        await cancel_and_wait(*both)
        await processes.stop()
