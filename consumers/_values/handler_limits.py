"""Limits how long a handler may take and be silent, and how large its result may be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from coordinator.protocol.messages.task_message import TaskMessage

__all__ = ["HandlerLimits"]

LONGEST = 366 * 86400.0
"""Seconds: a longer time is taken as this, so that none leaves the calendar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerLimits:
    """Holds the limits of one attempt."""

    timeout: timedelta
    """For the whole of it."""
    progress_timeout: timedelta | None = None
    """Between its start, or one word of progress, and the next; None means for ever."""
    grace: timedelta
    """Between being told to stop and being given up."""
    max_result_bytes: int

    @classmethod
    def of(
        cls,
        message: TaskMessage,
        *,
        default_timeout: timedelta,
        grace: timedelta,
        max_result_bytes: int,
    ) -> HandlerLimits:
        """What the task says, and for the rest what the agent has."""
        return cls(
            timeout=_duration(message.timeout_seconds) or default_timeout,
            progress_timeout=_duration(message.progress_timeout_seconds),
            grace=grace,
            max_result_bytes=max_result_bytes,
        )


def _duration(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=max(0.001, min(LONGEST, seconds)))
