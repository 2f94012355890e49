"""An agent that counts aloud until it is told to stop, or dies, for tests with real processes."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from consumers import Agent, Task

agent = Agent(os.environ.get("E2E_ID", "speaker"))


@agent.task("count-aloud")
async def count_aloud(task: Task) -> int:
    """Until the file that the task names is there; its result is the last number."""
    number = 0
    while not await asyncio.to_thread(Path(task.data["until"]).exists):
        number += 1
        await task.emit(number)
        await asyncio.sleep(0.005)
    return number
