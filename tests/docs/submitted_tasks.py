"""Which tasks each block of a page submits, and the state in which its reader finds them at the end.

A task ends completed, unless the block that submitted it says `ends STATE`. A schedule may have no tick
while a test runs: its task is submitted once, as a tick would.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx

from coordinator.domain.task import ENDED, State
from tests.e2e.processes import get
from tests.support.waiting import eventually

from .blocks import Block

__all__ = ["SubmittedTasks"]

PATIENCE = 90.0
"""Seconds for the tasks of one page to end."""


class SubmittedTasks:
    """Call `note` after each block, and `hold` after the last one."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._before: set[str] = set()
        self._schedules: set[str] = set()
        self._wanted: dict[str, tuple[Block, State]] = {}

    async def begin(self) -> None:
        """Leave out what pages before this one submitted."""
        self._before = {task["task_id"] async for task in self._tasks()}
        self._schedules = {schedule["schedule_id"] for schedule in await self._found_schedules()}

    async def note(self, block: Block) -> None:
        """Whatever is new was submitted by ``block``."""
        for schedule in await self._found_schedules():
            if schedule["schedule_id"] not in self._schedules:
                self._schedules.add(schedule["schedule_id"])
                whole = (await get(self._http, f"/schedules/{quote(schedule['schedule_id'])}"))[
                    "schedule"
                ]
                answer = await self._http.post("/tasks/submit", json=whole["task"])
                assert answer.status_code == httpx.codes.OK, f"{block}: {answer.text}"
        async for task in self._tasks():
            if task["task_id"] not in self._before and task["task_id"] not in self._wanted:
                self._wanted[task["task_id"]] = block, block.ends

    async def hold(self) -> None:
        """Raises `AssertionError` for a task that does not end as its block says."""
        with contextlib.suppress(AssertionError):  # what has not ended is told below
            await eventually(self._all_ended, timeout=PATIENCE)
        wrong = [line async for line in self._differences()]
        assert not wrong, "\n".join(wrong)

    async def _all_ended(self) -> bool:
        """Whether those that are to end have ended, well or not; those that are to wait do so anyway."""
        return not [
            task
            async for task in self._noted()
            if self._wanted[task["task_id"]][1] in ENDED and task["state"] not in ENDED
        ]

    async def _differences(self) -> AsyncIterator[str]:
        async for task in self._noted():
            block, state = self._wanted[task["task_id"]]
            if task["state"] != state:
                whole = (await get(self._http, f"/tasks/{task['task_id']}"))["task"]
                yield (
                    f"{block} submitted {task['task_id']}, which should end {state} and is "
                    f"{task['state']}: {whole['error']}"
                )

    async def _noted(self) -> AsyncIterator[dict[str, Any]]:
        async for task in self._tasks():
            if task["task_id"] in self._wanted:
                yield task

    async def _tasks(self) -> AsyncIterator[dict[str, Any]]:
        cursor: str | None = ""
        while cursor is not None:
            page = await get(self._http, f"/tasks?limit=200{cursor and f'&cursor={cursor}'}")
            for task in page["tasks"]:
                yield task
            cursor = page["next_cursor"]

    async def _found_schedules(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await get(self._http, "/schedules"))["schedules"]
        return found
