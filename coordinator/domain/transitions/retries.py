"""Decides what follows a failed attempt: another one after a pause, or the end."""

from __future__ import annotations

import zlib
from dataclasses import replace
from datetime import datetime, timedelta

from coordinator.domain.retry_backoff import RetryBackoff
from coordinator.domain.task import State, Task
from coordinator.protocol.messages.task_message import Backoff

from .effects import Folded, PublishAt, Rules, cancel_on_all

__all__ = ["LONGEST_SECONDS", "capped_duration", "jitter", "retry_or_end"]

LONGEST_SECONDS = 366 * 86400.0
"""A longer duration is nonsense, and might leave the calendar."""


def retry_or_end(task: Task, failed_at: datetime, event_id: str | None, rules: Rules) -> Folded:
    """An attempt failed: another one, or the end; undecided until `max_attempts` is known."""
    waiting = task._replace(state=State.WAITING, ended_at=failed_at, outcome=event_id)
    error = task.error or {}
    hopeless = not error.get("retryable", True)
    if task.max_attempts is None and not hopeless:
        return Folded(waiting)
    if hopeless or task.failed >= (task.max_attempts or 0):
        dead = waiting._replace(state=State.DEAD, runners=(), question=None)
        return Folded(dead, cancel_on_all(dead, task.runners))
    asked = error.get("retry_after_seconds")
    pause = _policy(task, rules.retry).pause(
        max(1, task.failed - task.released),
        jitter=jitter(task),
        asked=None if asked is None else capped_duration(asked),
    )
    again = PublishAt(
        task_id=task.task_id,
        generation=task.generation,
        attempt=task.failed + 1,
        due=rules.now + pause,
    )
    return Folded(waiting._replace(ended_at=None, outcome=None), (again,))


def _policy(task: Task, usual: RetryBackoff) -> RetryBackoff:
    given = task.backoff
    if given is None:
        return usual
    first, factor, longest = (given.get(name) for name in Backoff.model_fields)
    return replace(
        usual,
        first=usual.first if first is None else capped_duration(first),
        factor=usual.factor if factor is None else factor,
        longest=usual.longest if longest is None else capped_duration(longest),
    )


def capped_duration(seconds: float) -> timedelta:
    """At most `LONGEST_SECONDS`."""
    return timedelta(seconds=min(seconds, LONGEST_SECONDS))


def jitter(task: Task) -> float:
    """From 0 to 1, different for each attempt, and the same whenever it is folded again."""
    fence = f"{task.task_id}.{task.generation}.{task.failed}".encode("utf-8", "replace")
    return zlib.crc32(fence) / 2**32
