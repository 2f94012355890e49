"""Folds a message that RabbitMQ dead-lettered: rejected, expired or over the delivery limit."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from coordinator.domain.task import State, Task
from coordinator.protocol.messages.events import (
    CRASH_LOOP,
    Event,
    TaskDeadLettered,
)

from .deadline_pause import with_later_deadline
from .effects import Effect, Folded, PublishAt, Rules
from .ends_without_attempt import EXPIRED, end_task
from .retries import retry_or_end

__all__ = ["fold_dead_letter"]


def fold_dead_letter(task: Task, event: Event, data: TaskDeadLettered, rules: Rules) -> Folded:
    """The broker's word on the message: of the current one it is final, of an older one late."""
    if data.attempt < task.published:
        return Folded(task)
    attempt = max(task.attempt, data.attempt)
    task = task._replace(published=data.attempt, settled=data.attempt)
    if task.ended:
        return Folded(task)
    task = with_later_deadline(task, event.time)
    late = _is_over(task.expires_at, event.time)
    if data.reason == "expired" or (data.reason == "rejected" and late):
        return end_task(task, event, State.EXPIRED, error=EXPIRED)
    if attempt <= task.failed:
        return Folded(task)
    return _given_up(task, attempt, event, data, rules)


def _given_up(
    task: Task, attempt: int, event: Event, data: TaskDeadLettered, rules: Rules
) -> Folded:
    """The message of an attempt is gone, and nobody has told how that ended."""
    failures = task.failures + (1 if task.started >= attempt else 0)
    failed = task._replace(attempt=attempt, failed=attempt, failures=failures)
    match data.reason:
        case "delivery_limit":
            return end_task(failed, event, State.DEAD, error=_CRASH_LOOP)
        case "rejected" if _taken_for_expired(task, attempt, event.time):
            return _not_counted(
                task, attempt, event, rules, error=_TOO_EARLY, after=_BEFORE_ANOTHER_LOOK
            )
        case "rejected" if _is_over(data.task.expires_at, event.time) and _is_spared(task):
            return _not_counted(task, attempt, event, rules, error=_CAME_BACK, after=timedelta())
        case "rejected" | "expired":
            return retry_or_end(failed._replace(error=_REJECTED), event.time, event.id, rules)


def _taken_for_expired(task: Task, attempt: int, now: datetime) -> bool:
    """Whether an agent may have rejected the task for its deadline, by a clock that is ahead: before
    anybody has started it, and with the deadline to come by the coordinator's clock.
    """
    if task.expires_at is None or task.started >= attempt:
        return False
    return now < task.expires_at <= now + _WRONGEST_CLOCK


def _is_over(deadline: datetime | None, now: datetime) -> bool:
    return deadline is not None and deadline <= now


def _is_spared(task: Task) -> bool:
    """Whether few attempts were not counted so far: an agent may be lost again and again."""
    return task.failed - task.released - task.failures < _SPARED


def _not_counted(
    task: Task, attempt: int, event: Event, rules: Rules, *, error: dict[str, Any], after: timedelta
) -> Folded:
    """The next attempt follows for it, and is allowed one more; the deadline ends that in any case."""
    allowed = max(task.max_attempts or 0, attempt) + 1
    task = task._replace(attempt=attempt, failed=attempt, max_attempts=allowed, error=error)
    folded = retry_or_end(task, event.time, event.id, rules)
    effects = tuple(_due(effect, rules.now, after) for effect in folded.effects)
    return Folded(folded.task, effects)


def _due(effect: Effect, now: datetime, after: timedelta) -> Effect:
    """No sooner than ``after``; at once where that is zero: nothing has failed, and the deadline goes on."""
    if not isinstance(effect, PublishAt):
        return effect
    return replace(effect, due=max(effect.due, now + after) if after else now)


_WRONGEST_CLOCK = timedelta(days=1)
"""A rejection so long before the deadline has another reason."""


_BEFORE_ANOTHER_LOOK = timedelta(seconds=1)
"""The same agent may take it again, with the same clock."""


_TOO_EARLY: dict[str, Any] = {
    "type": "RejectedTooEarly",
    "message": (
        "An agent rejected the task as if its deadline had passed, which it has not: its clock is ahead."
        " It does not count as a failure."
    ),
    "retryable": True,
}


_SPARED = 2
"""As many losses of an agent count no attempt where the message comes back in time."""


_CAME_BACK: dict[str, Any] = {
    "type": "AttemptLost",
    "message": (
        "The agent was lost, and the message came back after the deadline that it has. The task's is later,"
        " because it waited while people were asked. It does not count as a failure."
    ),
    "retryable": True,
}


_REJECTED: dict[str, Any] = {
    "type": "Rejected",
    "message": "The agent rejected the task without saying why.",
    "retryable": True,
}


_CRASH_LOOP: dict[str, Any] = CRASH_LOOP.model_dump(exclude_none=True) | {"retryable": False}
