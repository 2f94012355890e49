"""Names why a running handler is told to stop, and what becomes of its attempt then."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum
from typing import assert_never

from coordinator.protocol.messages.events import AttemptError

from .._values.handler_limits import HandlerLimits
from ..outcome import Cancelled, Failed, Outcome, Returned

__all__ = ["StopReason", "grace_after", "outcome_after"]

HURRY = timedelta(seconds=2)
"""The grace where the agent was told twice to stop, at most."""

_THREAD_GOES_ON = (
    " It is a plain function, and its thread cannot be stopped: it was given up, and goes on in the agent"
    " until it returns."
)
_COROUTINE_GOES_ON = " It was cancelled and did not end: it was given up, and goes on in the agent."


class StopReason(Enum):
    """Says why a running handler is told to stop."""

    CANCELLED = "cancelled"
    """The task has ended in the ledger."""
    TIMED_OUT = "timed out"
    """It has taken longer than the task allows."""
    STALLED = "stalled"
    """It has told of no progress for longer than the task allows."""
    LOST = "lost"
    """The broker has given its task to another agent."""
    UNANSWERED = "unanswered"
    """The agent is to stop, and nobody answers what the handler waits for."""
    HURRIED = "hurried"
    """The agent was told twice to stop."""


def grace_after(reason: StopReason, limits: HandlerLimits, *, in_thread: bool) -> timedelta:
    """How long the handler may go on, once it was told to stop."""
    match reason:
        case StopReason.CANCELLED | StopReason.LOST | StopReason.UNANSWERED:
            return limits.grace
        case StopReason.TIMED_OUT | StopReason.STALLED:
            return timedelta() if in_thread else limits.grace
        case StopReason.HURRIED:
            return timedelta() if in_thread else min(HURRY, limits.grace)
        case _:
            assert_never(reason)


def outcome_after(
    reason: StopReason | None, limits: HandlerLimits, *, given_up: bool, in_thread: bool
) -> Outcome:
    """How an attempt ends whose handler was stopped; ``given_up`` is one that goes on all the same."""
    goes_on = (_THREAD_GOES_ON if in_thread else _COROUTINE_GOES_ON) if given_up else ""
    match reason:
        case StopReason.CANCELLED:
            return Cancelled()
        case StopReason.TIMED_OUT:
            seconds = limits.timeout.total_seconds()
            sentence = f"The handler took longer than the {seconds:g} seconds that the task allows."
            return Failed(AttemptError(type="Timeout", message=sentence + goes_on))
        case StopReason.STALLED:
            silence = (limits.progress_timeout or timedelta()).total_seconds()
            sentence = (
                f"The handler told of no progress for {silence:g} seconds,"
                " which is as long as the task allows."
            )
            return Failed(AttemptError(type="ProgressTimeout", message=sentence + goes_on))
        case StopReason.LOST | StopReason.UNANSWERED | StopReason.HURRIED | None:
            return Returned()
        case _:
            assert_never(reason)
