"""Computes a task message's TTL: how long the broker keeps a task that has a deadline. Pure.

The deadline itself is kept by whoever starts an attempt, and by a coordinator that ends what is
overdue; the message's own time to live only collects the garbage that is left of that. It counts in
every queue that the message is in, and one of them is the log: a projector that is away for longer
would miss the task. Hence the day.
"""

from __future__ import annotations

from datetime import datetime, timedelta

__all__ = ["COLLECTED_AFTER", "LONGEST", "time_to_live"]

COLLECTED_AFTER = timedelta(days=1)
"""From the deadline until the broker may drop the message."""

LONGEST = timedelta(milliseconds=2**32 - 1)
"""The broker closes the channel of who asks for more (some 49 days)."""


def time_to_live(expires_at: datetime | None, submitted_at: datetime) -> timedelta | None:
    """The `expiration` of a task's message, never too short; None keeps it for ever."""
    if expires_at is None:
        return None
    left = max(expires_at - submitted_at, timedelta()) + COLLECTED_AFTER
    return left if left <= LONGEST else None
