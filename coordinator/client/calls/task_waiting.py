"""Waits for the end of one task, and says what came of it."""

from __future__ import annotations

from typing import Any

from coordinator.client.errors import (
    TaskCancelled,
    TaskDead,
    TaskExpired,
    TaskNotCompleted,
)
from coordinator.client.exchange.http_messages import ApiRequest, Call
from coordinator.client.exchange.programs import Circumstances, Deadline, Program, asked
from coordinator.client.models.tasks import Task

from .task_calls import task, waited

__all__ = ["SLACK", "result_of", "wait"]

LONGEST_WAIT = 30.0
"""Seconds of one request: shorter than what most proxies allow."""

SLACK = 5.0
"""Seconds beyond that, for the answer."""


def wait(task_id: str, now: Circumstances, timeout: float | None = None) -> Program[Task]:
    """The task at its end. Raises `WaitTimedOut` after ``timeout`` seconds; without one it waits for as
    long as the task takes.
    """
    deadline = Deadline(timeout, now.clock)
    while True:
        seconds = deadline.within(LONGEST_WAIT)
        call = waited(task_id, seconds)
        patient = Call(_patient(call.request, seconds + SLACK), call.read)
        found = yield from asked(patient if seconds else task(task_id), now, deadline.left)
        if found.ended:
            return found
        deadline.check(f"Task {task_id} is still {found.state} after {timeout or 0:g} seconds")


def _patient(request: ApiRequest, seconds: float) -> ApiRequest:
    return ApiRequest(method=request.method, path=request.path, repeatable=True, patience=seconds)


_KINDS = {"dead": TaskDead, "cancelled": TaskCancelled, "expired": TaskExpired}


def result_of(task: Task) -> Any:
    """What the agent returned. Raises the `TaskNotCompleted` that the task's end is."""
    if task.state == "completed":
        return task.result
    raise _KINDS.get(task.state, TaskNotCompleted)(task)
