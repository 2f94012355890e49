"""An agent whose profile and speed come from the environment, for tests with real processes."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from consumers import Agent, Task
from tests.support.skewed_clock import skew_clock

skew_clock(float(os.environ.get("E2E_CLOCK_AHEAD", "0")), whole="E2E_WHOLE_SECONDS" in os.environ)

agent = Agent(
    os.environ.get("E2E_ID", "e2e"),
    agent_type=os.environ.get("E2E_TYPE", "worker"),
    capabilities=[name for name in os.environ.get("E2E_CAPABILITIES", "").split(",") if name],
    services=[name for name in os.environ.get("E2E_SERVICES", "").split(",") if name],
    slots=int(os.environ.get("E2E_SLOTS", "1")),
)


@agent.task()
async def work(task: Task) -> dict[str, Any]:
    """Take as long as the environment says, and tell who did it; fail as often as the task asks,
    or die of it."""
    delay = float(task.data.get("work_ms", os.environ.get("E2E_WORK_MS", "0"))) / 1000
    if task.data.get("deadly"):
        os._exit(1)
    if delay:
        await asyncio.sleep(delay)
    if task.attempt <= task.data.get("failures", 0):
        raise RuntimeError("asked to fail")
    return {"echo": task.data, "by": agent.agent_id}
