"""The coordinator's own agent in the comparison, as a producer's team would write it."""

from __future__ import annotations

import os

from consumers import Agent, Task

from .work import work_async

agent = Agent(os.environ["BENCH_AGENT"], slots=int(os.environ.get("BENCH_SLOTS", "8")))


@agent.task("work")
async def work(task: Task) -> None:
    await work_async(task.data)
