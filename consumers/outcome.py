"""How an attempt ends: a closed set, and what a handler may raise to choose among it."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, assert_never

from pydantic_core import PydanticSerializationError, from_json, to_json

from coordinator.protocol.events import AttemptError, EventData, TaskCompleted, TaskFailed
from coordinator.protocol.task import TaskMessage

from .context import printable_text

__all__ = [
    "Cancelled",
    "Completed",
    "Discard",
    "Failed",
    "Outcome",
    "RetryLater",
    "Returned",
    "completed_with",
    "event_of",
    "failed_with",
]

MAX_MESSAGE = 2_000
MAX_TRACEBACK = 8_000
"""Characters; of a traceback the end is kept, which names the error."""


class RetryLater(Exception):
    """Raise it in a handler to have the task tried again.

    ``after`` is how long to wait at least, as seconds or a `timedelta`; None leaves it to the
    coordinator.
    """

    def __init__(
        self, reason: str = "asked to be retried", *, after: float | timedelta | None = None
    ) -> None:
        super().__init__(reason)
        self.after = timedelta(seconds=after) if isinstance(after, int | float) else after


class Discard(Exception):
    """Raise it in a handler to end the task as failed: no other attempt would go better."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Completed:
    """The work is done."""

    result: Any
    """Plain JSON values, copied from what the handler returned."""
    size: int
    """Bytes of the result as JSON."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt ended without a result."""

    error: AttemptError
    retryable: bool = True
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A coordinator ended the task, so its end is recorded already."""


@dataclass(frozen=True, slots=True)
class Returned:
    """The task is for another agent: this one is stopping in a hurry, or lost its connection."""


Outcome = Completed | Failed | Cancelled | Returned


def completed_with(result: Any, *, max_bytes: int) -> Completed | Failed:
    """What a handler returned, if it can be told to the coordinator."""
    try:
        data = to_json(result)
        plain = from_json(data, allow_inf_nan=False)
    except (PydanticSerializationError, ValueError, TypeError, RecursionError) as exc:
        return _refused(
            "ResultNotJson",
            f"The handler returned {type(result).__name__}, which cannot be told as JSON ({exc}):"
            " return dicts, lists, strings, finite numbers, booleans or None.",
        )
    if len(data) > max_bytes:
        return _refused(
            "ResultTooLarge",
            f"The handler returned {len(data)} bytes of JSON, and {max_bytes} are allowed:"
            " store it elsewhere and return a reference to it.",
        )
    return Completed(plain, len(data))


def failed_with(exc: BaseException) -> Failed:
    """What a handler raised."""
    match exc:
        case RetryLater():
            return Failed(_error(exc, trace=False), retry_after=exc.after)
        case Discard():
            return Failed(_error(exc, trace=False), retryable=False)
        case _:
            return Failed(_error(exc, trace=True))


def event_of(
    outcome: Completed | Failed, task: TaskMessage, *, agent_id: str, duration: timedelta
) -> EventData:
    """What is published of an outcome that the ledger does not know of."""
    match outcome:
        case Completed(result=result):
            return TaskCompleted(
                task_id=task.task_id,
                generation=task.generation,
                attempt=task.attempt,
                agent_id=agent_id,
                result=result,
                duration_seconds=duration.total_seconds(),
                task_token=task.task_token,
            )
        case Failed(error=error, retryable=retryable, retry_after=after):
            return TaskFailed(
                task_id=task.task_id,
                generation=task.generation,
                attempt=task.attempt,
                agent_id=agent_id,
                error=error,
                retryable=retryable,
                retry_after_seconds=None if after is None else max(0.0, after.total_seconds()),
                duration_seconds=duration.total_seconds(),
                task_token=task.task_token,
            )
        case _:
            assert_never(outcome)


def _error(exc: BaseException, *, trace: bool) -> AttemptError:
    lines = "".join(traceback.format_exception(exc)) if trace else None
    return AttemptError(
        type=type(exc).__name__,
        message=printable_text(str(exc), MAX_MESSAGE),
        traceback=None if lines is None else printable_text(lines[-MAX_TRACEBACK:], MAX_TRACEBACK),
    )


def _refused(kind: str, message: str) -> Failed:
    return Failed(
        AttemptError(type=kind, message=printable_text(message, MAX_MESSAGE)), retryable=False
    )
