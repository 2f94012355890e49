"""Asks for tasks: one, its timeline, why it waits, lists; cancels, retries and deletes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from coordinator.client.exchange.answer_reading import part, read_as
from coordinator.client.exchange.http_messages import Call, json_bytes, request
from coordinator.client.models.accepted_tasks import Answered, Cancelled, Deleted, Retried
from coordinator.client.models.pages import Page
from coordinator.client.models.tasks import Explanation, Task, TaskSummary, TimelineEvent

__all__ = [
    "agents_tasks",
    "answer",
    "cancel",
    "delete",
    "explain",
    "retry",
    "task",
    "tasks",
    "timeline",
    "waited",
]


def task(task_id: str) -> Call[Task]:
    """The task as it stands."""
    return Call(request("GET", "tasks", task_id), _task)


def waited(task_id: str, timeout: float) -> Call[Task]:
    """The task at its end, or as it stands after ``timeout`` seconds: one request, that waits."""
    return Call(
        request("GET", "tasks", task_id, "wait", query={"timeout": round(timeout, 3)}), _task
    )


def cancel(task_id: str, reason: str | None = None) -> Call[Cancelled]:
    """End a task that has not ended. Raises `Conflict` where it has."""
    asked = request("POST", "tasks", task_id, "cancel", json_body={"reason": reason})
    return Call(asked, lambda body: read_as(Cancelled, body))


def answer(task_id: str, answer: Any, *, question_id: str | None = None) -> Call[Answered]:
    """Give a task that is `input_required` what it asks for. Raises `Conflict` where it asks nothing."""
    # Not left out where it is None: null may be the answer.
    body = [("answer", answer), ("question_id", question_id)]
    given = json_bytes(
        {name: value for name, value in body if name == "answer" or value is not None}
    )
    asked = request("POST", "tasks", task_id, "input", repeatable=True)
    return Call(replace(asked, body=given), lambda told: read_as(Answered, told))


def retry(
    task_id: str,
    *,
    task_data: Mapping[str, Any] | None = None,
    delay_seconds: float | None = None,
) -> Call[Retried]:
    """Send a task that is dead, expired or cancelled round again, with other data where that is given."""
    body = {"task_data": task_data, "delay_seconds": delay_seconds}
    asked = request("POST", "tasks", task_id, "retry", json_body=body)
    return Call(asked, lambda answer: read_as(Retried, answer))


def delete(task_id: str) -> Call[Deleted]:
    """Take a task that has ended out of the ledger."""
    return Call(request("DELETE", "tasks", task_id), lambda body: read_as(Deleted, body))


def explain(task_id: str) -> Call[Explanation]:
    """Why the task is where it is."""
    asked = request("GET", "tasks", task_id, "explain")
    return Call(asked, lambda body: read_as(Explanation, part(body, "explanation")))


def timeline(
    task_id: str, *, limit: int | None = None, cursor: str | None = None
) -> Call[Page[TimelineEvent]]:
    """Everything that happened to the task, in the order of the log."""
    asked = request("GET", "tasks", task_id, "events", query={"limit": limit, "cursor": cursor})

    def read(body: dict[str, Any]) -> Page[TimelineEvent]:
        events = read_as(tuple[TimelineEvent, ...], part(body, "events"))
        return Page(items=events, next_cursor=body.get("next_cursor"))

    return Call(asked, read)


def tasks(
    *,
    state: Iterable[str] = (),
    priority: Iterable[str] = (),
    agent: str | None = None,
    task_type: str | None = None,
    submitted_after: datetime | None = None,
    submitted_before: datetime | None = None,
    limit: int | None = None,
    cursor: str | None = None,
    **filters: str | Iterable[str],
) -> Call[Page[TaskSummary]]:
    """A page of the tasks that match, the newest first. Other ``filters``: `agent_type`, `capability`,
    `service`, `parent_id`, `group`, `tag`, `metadata`.
    """
    query = {
        **_values(filters),
        "state": _value(state),
        "priority": _value(priority),
        "agent": agent,
        "task_type": task_type,
        "submitted_after": submitted_after,
        "submitted_before": submitted_before,
        "limit": limit,
        "cursor": cursor,
    }
    return Call(request("GET", "tasks", query=query), _summaries)


def agents_tasks(
    agent_id: str,
    *,
    state: Iterable[str] = (),
    limit: int | None = None,
    cursor: str | None = None,
) -> Call[Page[TaskSummary]]:
    """A page of the tasks that an agent works on, or was the last to work on."""
    query = {"state": _value(state), "limit": limit, "cursor": cursor}
    return Call(request("GET", "agents", agent_id, "tasks", query=query), _summaries)


def _task(body: dict[str, Any]) -> Task:
    return read_as(Task, part(body, "task"))


def _summaries(body: dict[str, Any]) -> Page[TaskSummary]:
    found = read_as(tuple[TaskSummary, ...], part(body, "tasks"))
    return Page(items=found, next_cursor=body.get("next_cursor"))


def _values(filters: Mapping[str, str | Iterable[str]]) -> dict[str, Any]:
    return {name: _value(value) for name, value in filters.items()}


def _value(value: str | Iterable[str]) -> list[str]:
    """One word is one value, and not its letters."""
    return [value] if isinstance(value, str) else list(value)
