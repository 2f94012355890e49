"""Keeps the process that folds the log beside the one that answers requests, which is its parent.

    this process: HTTP, submissions
      └── `coordinator serve --duty projecting`: log ─▶ ledger, outbox, schedules, retention, recovery

Folding holds the interpreter's lock for milliseconds at a time, in which no request of the same process goes
on. Why the parent is no process of its own that supervises both: docs/decisions/0025.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from coordinator.broker.asyncio_cancel import cancel_and_wait
from coordinator.metrics.group_file import PROJECTING as PROJECTING_PLACE
from coordinator.metrics.group_file import GroupMember, open_group_file
from coordinator.settings import Settings

from .kept_processes import PROJECTING, KeptProcesses
from .ports import KeepsProcesses

__all__ = ["beside_projector", "projecting"]


async def beside_projector(
    settings: Settings, work: Callable[[GroupMember], Coroutine[Any, Any, None]]
) -> None:
    """Run ``work`` while a projecting process runs, which begins first and ends last: requests under way may
    wait for the ledger. ``work`` is called once, with where both share what they count, and may import what
    takes long.

    Raises what ``work`` raises, or the `OperatorError` of a process that cannot start.
    """
    processes = KeptProcesses(settings)
    figures = open_group_file(processes=2)
    both: list[asyncio.Task[Any]] = []
    try:
        both.append(asyncio.create_task(projecting(processes, figures)))
        await asyncio.sleep(0)  # it is started now
        both.append(asyncio.create_task(work(GroupMember(descriptor=figures, place=1))))
        done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await cancel_and_wait(*both[1:])
        await cancel_and_wait(*both)
        await processes.stop()
        os.close(figures)


async def projecting(processes: KeepsProcesses, figures: int) -> NoReturn:
    """Keep the projecting process, which tells what it counts in the file ``figures``."""
    member = GroupMember(descriptor=figures, place=PROJECTING_PLACE)
    options = (*PROJECTING, "--figures", member.as_text())
    await processes.keep("projecting process", *options, descriptors=[figures])
