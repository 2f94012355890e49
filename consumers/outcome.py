"""Makes an outcome of what a handler returned or raised, and an event of an outcome."""

from __future__ import annotations

import contextlib
import traceback
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, assert_never

from coordinator.errors import MessageTooLarge
from coordinator.protocol.messages.events import AttemptError, EventData, TaskCompleted, TaskFailed
from coordinator.protocol.messages.task_message import TaskMessage

from ._values.asked_question import AskedQuestion
from ._values.follow_up_wish import SubmissionRefused
from ._values.printable_text import class_name, printable_text, text_of
from ._values.requested_retry_pause import Pause, pause_of
from ._values.result_encoding import NotJson, encoded

__all__ = [
    "Asked",
    "Cancelled",
    "Completed",
    "Discard",
    "Failed",
    "InputRequired",
    "Outcome",
    "RetryLater",
    "Returned",
    "TaskDataMismatch",
    "chosen",
    "completed_with",
    "event_of",
    "failed_with",
    "smaller",
]

MAX_MESSAGE = 2_000
MAX_TRACEBACK = 8_000
"""Characters; of a traceback the end is kept, which names the error."""

MAX_COMPLAINT = 200

ELSEWHERE = (
    "keep it with task.store (COORDINATOR_ARTIFACTS), and return the reference that it gives"
)
"""What to do with what is too large for a result."""

_TRACEBACK = BaseException.__dict__["__traceback__"]
"""Reads the one that the interpreter keeps, whatever a subclass says instead."""

SHORT_MESSAGE = 200
"""Characters of an error that is too large for the broker."""


class RetryLater(Exception):
    """Asks for another attempt, where a handler or an interceptor raises it.

    ``after`` is how long to wait at least: seconds, as a number or as text, a `timedelta`, or the
    date of a `Retry-After` header. None leaves it to the coordinator, and so does what is no time: the
    error says so then.
    """

    after: Pause | None = None
    """A `timedelta`, unless it is no time."""

    def __init__(self, reason: str = "asked to be retried", *, after: Pause | None = None) -> None:
        super().__init__(reason)
        try:
            self.after = pause_of(after)
        except Exception:  # noqa: BLE001 - said with the outcome: the reason must not be lost over it
            self.after = after


class Discard(Exception):
    """Ends the task as failed, where a handler or an interceptor raises it: no attempt would go better."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)


class TaskDataMismatch(Discard):
    """Ends the task as failed: its data is not what its handler declares, by a pydantic model."""


class InputRequired(BaseException):
    """Ends the attempt with a question, raised by `Task.ask` with ``release=True``: let it pass. Another
    attempt follows, in which the same question has its answer.
    """

    def __init__(self, asked: AskedQuestion) -> None:
        super().__init__(asked.question_id)
        self.asked = asked


@dataclass(frozen=True, slots=True)
class Completed:
    """Says that the work is done."""

    result: Any
    """Plain JSON values, copied from what the handler returned."""
    size: int
    """Bytes of the result as JSON."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Says that the attempt ended without a result."""

    error: AttemptError
    retryable: bool = True
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """Says that the attempt ended with a question, and counts for none."""

    question: AskedQuestion


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Says that a coordinator ended the task, so that its end is recorded already."""


@dataclass(frozen=True, slots=True)
class Returned:
    """Says that the task is for another agent: this one stops, or lost its connection."""


Outcome = Completed | Failed | Asked | Cancelled | Returned


def completed_with(result: Any, *, max_bytes: int) -> Completed | Failed:
    """What a handler returned, if it can be told to the coordinator. Never raises."""
    try:
        plain, size = encoded(result)
    except NotJson as exc:
        return _refused(
            "ResultNotJson",
            f"The handler returned {class_name(result)}, which cannot be told as JSON ({exc.why}):"
            f" {exc.advice}.",
        )
    if size > max_bytes:
        return _refused(
            "ResultTooLarge",
            f"The handler returned {size} bytes of JSON, and {max_bytes} are allowed: {ELSEWHERE}.",
        )
    return Completed(plain, size)


def failed_with(exc: BaseException) -> Failed:
    """What a handler raised. Never raises, whatever the exception does."""
    if chosen(exc, RetryLater):
        after, complaint = _asked_pause(exc, "after")
        return Failed(_error(exc, complaint=complaint), retry_after=after)
    if chosen(
        exc, SubmissionRefused
    ):  # the same again would be refused again, unless it says when not
        after, complaint = _asked_pause(exc, "retry_after")
        error = _error(exc, trace=_trace(exc), complaint=complaint)
        return Failed(error, retryable=after is not None, retry_after=after)
    if chosen(exc, Discard):
        return Failed(_error(exc), retryable=False)
    return Failed(_error(exc, trace=_trace(exc)))


def chosen(exc: BaseException, *kinds: type[BaseException]) -> bool:
    """Whether it is one of ``kinds``; an exception may give itself another `__class__`, or none."""
    return issubclass(type(exc), kinds)


def event_of(
    outcome: Completed | Failed,
    task: TaskMessage,
    *,
    agent_id: str,
    duration: timedelta,
    crashes: int | None = None,
) -> EventData:
    """What is published of an outcome that the ledger does not know of. ``crashes``: agents that were lost
    with the same message in hand, which the attempt of ``task`` counts.
    """
    match outcome:
        case Completed(result=result):
            return TaskCompleted(
                task_id=task.task_id,
                generation=task.generation,
                attempt=task.attempt,
                agent_id=agent_id,
                result=result,
                duration_seconds=duration.total_seconds(),
                crashes=crashes,
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
                crashes=crashes,
                task_token=task.task_token,
            )
        case _:
            assert_never(outcome)


def smaller(event: EventData, refused: MessageTooLarge) -> EventData | None:
    """What is told instead of an ``event`` that the broker does not take: of a result that the attempt
    failed, of an error its beginning. None where there is nothing to leave out.
    """
    if isinstance(event, TaskCompleted):
        return TaskFailed(
            **event.model_dump(exclude={"result"}),
            error=AttemptError(
                type="ResultTooLarge",
                message=f"The result is a message of {refused.size} bytes, and the broker takes"
                f" {refused.limit} at most (max_message_size): {ELSEWHERE}.",
            ),
            retryable=False,
        )
    if isinstance(event, TaskFailed):
        message = printable_text(event.error.message, SHORT_MESSAGE)
        error = AttemptError(type=event.error.type, message=message)
        return None if error == event.error else event.model_copy(update={"error": error})
    return None


def _asked_pause(exc: BaseException, name: str) -> tuple[timedelta | None, str]:
    """How long its attribute ``name`` asks to wait, and what is to be said where that is no time."""
    try:
        return pause_of(getattr(exc, name, None)), ""
    except BaseException as wrong:  # noqa: BLE001 - a subclass may do anything with it
        why = text_of(wrong, MAX_COMPLAINT)
        return None, f" (how long to wait after it cannot be read: {why})"


def _trace(exc: BaseException) -> str | None:
    """The end of the traceback; without causes and notes where those cannot be shown."""
    for way in (traceback.format_exception, _frames):
        with contextlib.suppress(
            BaseException
        ):  # raised by the exception's own cause, notes, fields
            lines = "".join(way(exc))
            return printable_text(lines[-MAX_TRACEBACK:], MAX_TRACEBACK)
    return None


def _frames(exc: BaseException) -> list[str]:
    return traceback.format_tb(_TRACEBACK.__get__(exc))


def _error(exc: BaseException, *, trace: str | None = None, complaint: str = "") -> AttemptError:
    message = text_of(exc, MAX_MESSAGE - len(complaint)) + complaint
    return AttemptError(type=class_name(exc), message=message, traceback=trace)


def _refused(kind: str, message: str) -> Failed:
    return Failed(
        AttemptError(type=kind, message=printable_text(message, MAX_MESSAGE)), retryable=False
    )
