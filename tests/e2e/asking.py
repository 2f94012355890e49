"""An agent whose every task asks people; `tests.e2e.test_questions_over_kills` kills it."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from consumers import Agent, Task
from consumers.agent_timings import AgentTimings, Backoff

agent = Agent(os.environ["E2E_ID"], slots=8)
agent.configure(
    timings=AgentTimings(ask_again=Backoff(timedelta(seconds=0.5), timedelta(seconds=1)))
)


@agent.task("ask")
async def ask(task: Task) -> dict[str, Any]:
    """Asks twice, and tells both answers."""
    release = bool(task.data["release"])
    first = await task.ask({"first of": task.data["n"]}, release=release)
    second = await task.ask({"second of": task.data["n"]}, release=release)
    return {"answers": [first, second]}
