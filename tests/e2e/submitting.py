"""An agent whose tasks submit others; `tests.e2e.test_follow_ups_over_kills` kills it."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from typing import Any

from consumers import Agent, Task
from consumers.agent_timings import AgentTimings, Backoff

agent = Agent(os.environ["E2E_ID"], slots=16)
agent.configure(
    timings=AgentTimings(
        registration_timeout=timedelta(seconds=1),
        registration_backoff=Backoff(timedelta(seconds=0.1), timedelta(seconds=0.5)),
    )
)


@agent.task("order")
async def order(task: Task) -> list[str]:
    """Submits some mails, however often it is begun anew."""
    mails = []
    for n in range(task.data["mails"]):
        mail = await task.submit({"task_type": "mail", "n": n}, key=f"mail {n}")
        mails.append(mail.id)
        await asyncio.sleep(0.05)
    return mails


@agent.task("mail")
def mail(task: Task) -> Any:
    return task.data["n"]


@agent.task("watch")
async def watch(task: Task) -> None:
    """Goes on until it is cancelled; what it has submitted comes much later, and is cancelled with it."""
    reminder = {"task_type": "mail", "n": 0}
    await task.submit(reminder, key="reminder", cancel_with_parent=True, delay_seconds=3600)
    await asyncio.Event().wait()
