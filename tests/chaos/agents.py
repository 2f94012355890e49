"""The agent of the chaos suite: it writes down each step of each execution, one line each, appended by
one system call, so that no kill takes back what was done.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable
from typing import Any

from consumers import Agent, Task, life
from consumers.attempt import Attempt
from consumers.workbench import Workbench
from tests.support.skewed_clock import skew_clock

_clocks = os.environ["CHAOS_CLOCKS"].split(",")
skew_clock(float(_clocks[int(os.environ["CHAOS_LIFE"]) % len(_clocks)]))

_file = os.open(os.environ["CHAOS_EXECUTIONS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

agent = Agent(
    os.environ["CHAOS_AGENT"],
    capabilities=[name for name in os.environ["CHAOS_CAPABILITIES"].split(",") if name],
    slots=int(os.environ["CHAOS_SLOTS"]),
)


def write_down(step: str, task_id: str, attempt: int, data: dict[str, Any]) -> None:
    who = f"{agent.agent_id} {os.getpid()}"
    line = f"{time.time():.6f} {who} {step} {task_id} {attempt} {data['number']}\n"
    os.write(_file, line.encode())


class RecordedWorkbench(Workbench):
    """Writes down, too, whose outcomes the broker has confirmed: from then on the acknowledgement is
    on its way, and the task should never come again.
    """

    def settle(self, attempts: Iterable[Attempt]) -> None:
        settled = list(attempts)
        super().settle(settled)
        for attempt in settled:
            message = attempt.message
            write_down("settled", message.task_id, message.attempt, message.task_data)


life.Workbench = RecordedWorkbench  # type: ignore[attr-defined]


@agent.task()
async def work(task: Task) -> dict[str, int]:
    """Take as long, and fail as often, as the task says."""
    write_down("began", task.id, task.attempt, task.data)
    try:
        if milliseconds := task.data.get("work_ms"):
            await asyncio.sleep(milliseconds / 1000)
        if task.attempt <= task.data.get("failures", 0):
            raise RuntimeError("asked to fail")
        return {"number": task.data["number"]}
    finally:
        write_down("ended", task.id, task.attempt, task.data)
