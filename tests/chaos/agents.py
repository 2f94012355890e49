"""The agent of the chaos suite: it does what each task says, good or bad, and writes it down."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from consumers import Agent, Task, running_agent
from consumers._working.attempt import Attempt
from consumers._working.task_executor import TaskExecutor
from tests.chaos.asking import ask_all
from tests.chaos.execution_log import ExecutionLog
from tests.chaos.misbehaving import MISBEHAVIOURS, PLAINLY, end_a_fork
from tests.support.skewed_clock import skew_clock

_clocks = os.environ["CHAOS_CLOCKS"].split(",")
skew_clock(float(_clocks[int(os.environ["CHAOS_LIFE"]) % len(_clocks)]))

agent = Agent(
    os.environ["CHAOS_AGENT"],
    capabilities=[name for name in os.environ["CHAOS_CAPABILITIES"].split(",") if name],
    slots=int(os.environ["CHAOS_SLOTS"]),
)

_log = ExecutionLog(Path(os.environ["CHAOS_EXECUTIONS"]), agent.agent_id)

_every_slot = asyncio.Barrier(agent.options.slots)

ALL_AT_WORK = 60
"""Seconds within which every slot has its task."""


class RecordedTaskExecutor(TaskExecutor):
    """Writes down, too, whose outcomes the broker has confirmed: from then on the acknowledgement is
    on its way, and the task should never come again.
    """

    def settle(self, attempts: Iterable[Attempt]) -> None:
        settled = list(attempts)
        super().settle(settled)
        for attempt in settled:
            _log.write_of("settled", attempt.message)


running_agent.TaskExecutor = RecordedTaskExecutor  # type: ignore[attr-defined]


@agent.default
async def work(task: Task) -> Any:
    """Take as long, and misbehave as often and in the way, that the task says."""
    _log.write("began", task.id, task.attempt, task.data["number"])
    try:
        if milliseconds := task.data.get("work_ms"):
            await asyncio.sleep(milliseconds / 1000)
        if task.data.get("forks"):
            await asyncio.to_thread(end_a_fork)
        if task.data.get("together"):
            async with asyncio.timeout(ALL_AT_WORK):
                await _every_slot.wait()
        if asks := task.data.get("asks"):
            await ask_all(task, asks)
        if task.attempt <= task.data.get("failures", 0):
            return await MISBEHAVIOURS[task.data.get("misbehaves", PLAINLY)].act()
        return {"number": task.data["number"]}
    finally:
        _log.write("ended", task.id, task.attempt, task.data["number"])
