"""Handlers, tested with no broker.

ran = await run_task(agent, {"task_type": "word-count", "text": "a b"})
assert ran.result == {"words": 2}
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from coordinator.protocol.events import AttemptError
from coordinator.protocol.ids import new_id
from coordinator.protocol.priority import Priority
from coordinator.protocol.task import TaskMessage

from .agent import Agent
from .attempt import Attempt, run_attempt
from .context import Progress, Task
from .handlers import Handler, HandlerFunction
from .options import MAX_RESULT_BYTES
from .outcome import Cancelled, Completed, Discard, Failed, Outcome, RetryLater, Returned
from .threads import Threads

__all__ = [
    "Cancelled",
    "Completed",
    "Discard",
    "Failed",
    "Outcome",
    "Progress",
    "Ran",
    "RetryLater",
    "Returned",
    "run_task",
    "run_task_sync",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What became of a task."""

    outcome: Outcome
    progress: list[Progress] = field(default_factory=list)
    """Everything that the handler told, not thinned out."""

    @property
    def result(self) -> Any:
        """What the handler returned, as JSON tells it. Raises `AssertionError` if it failed."""
        if not isinstance(self.outcome, Completed):
            raise AssertionError(f"the task was not completed: {self.outcome}")
        return self.outcome.result

    @property
    def error(self) -> AttemptError:
        """Why it failed. Raises `AssertionError` if it did not."""
        if not isinstance(self.outcome, Failed):
            raise AssertionError(f"the task did not fail: {self.outcome}")
        return self.outcome.error


async def run_task(
    agent: Agent | HandlerFunction,
    task_data: Mapping[str, Any] | None = None,
    *,
    priority: Priority | str = Priority.NORMAL,
    attempt: int = 1,
    metadata: Mapping[str, Any] | None = None,
    previous_progress: Any = None,
    timeout: timedelta = timedelta(seconds=30),
) -> Ran:
    """Do one task the way an agent does it: with the agent's handler for its type, or a function."""
    message = TaskMessage(
        task_id=new_id(),
        attempt=attempt,
        max_attempts=attempt,
        task_data=dict(task_data or {}),
        priority=Priority.parse(priority),
        submitted_at=datetime.now(UTC),
        metadata=dict(metadata or {}),
        previous_progress=previous_progress,
        task_token="in a test",  # noqa: S106 - nobody checks it
    )
    if isinstance(agent, Agent):
        handler = agent.handlers.find(message.task_type)
        limit = agent.options.max_result_bytes
    else:
        handler, limit = Handler.of(agent), MAX_RESULT_BYTES
    told: list[Progress] = []
    threads = Threads(1, name="task in a test")
    try:
        outcome = await run_attempt(
            Attempt(message, message.source, None),
            handler,
            Task(message, told.append),
            threads=threads,
            timeout=timeout,
            max_result_bytes=limit,
        )
    finally:
        threads.close()
    return Ran(outcome=outcome, progress=told)


def run_task_sync(
    agent: Agent | HandlerFunction, task_data: Mapping[str, Any] | None = None, **options: Any
) -> Ran:
    """`run_task` for a test that is a plain function."""
    return asyncio.run(run_task(agent, task_data, **options))
