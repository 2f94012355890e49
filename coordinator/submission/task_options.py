"""Checks and settles the options of a task: attempts, pauses, time-outs, a time to start, a deadline.

Pure. Each wish is checked with a sentence for its refusal, and `settled` against the instant of the
submission; None is as the coordinator has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from coordinator.errors import InvalidRequest
from coordinator.protocol.messages.task_message import Backoff

from .request_limits import RequestLimits, check_seconds

__all__ = [
    "MAX_ATTEMPTS",
    "MAX_FACTOR",
    "NO_OPTIONS",
    "SOON",
    "Settled",
    "TaskOptions",
    "check_options",
    "settled",
]

MAX_ATTEMPTS = 100
"""The most `max_attempts`."""

MAX_FACTOR = 100.0
"""The largest `backoff.factor`."""

SOON = timedelta(milliseconds=20)
"""A task that is due sooner is put on its queue at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOptions:
    """Holds the options as a producer asked for them: of a duration and an instant only one may be given."""

    max_attempts: int | None = None
    backoff: Backoff | None = None
    progress_timeout_seconds: float | None = None
    delay_seconds: float | None = None
    not_before: datetime | None = None
    expires_in_seconds: float | None = None
    expires_at: datetime | None = None


NO_OPTIONS = TaskOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Holds the times of a task, settled for the instant of its submission."""

    not_before: datetime | None = None
    """None: it goes on its queue at once."""
    expires_at: datetime | None = None


_PLAIN = Settled()


def check_options(options: TaskOptions, limits: RequestLimits) -> None:
    """All that does not depend on the time. Raises `InvalidRequest`."""
    if options is NO_OPTIONS:
        return
    attempts = options.max_attempts
    if attempts is not None and not 1 <= attempts <= MAX_ATTEMPTS:
        raise InvalidRequest(f"max_attempts must be from 1 to {MAX_ATTEMPTS}", field="max_attempts")
    if options.backoff is not None:
        _check_backoff(options.backoff, limits)
    check_seconds(options.progress_timeout_seconds, "progress_timeout_seconds", limits.max_timeout)
    check_seconds(options.delay_seconds, "delay_seconds", limits.max_delay, zero=True)
    check_seconds(options.expires_in_seconds, "expires_in_seconds", 2 * limits.max_delay)
    for seconds, instant in (("delay_seconds", "not_before"), ("expires_in_seconds", "expires_at")):
        if getattr(options, seconds) is not None and getattr(options, instant) is not None:
            raise InvalidRequest(
                f"{seconds} and {instant} say the same: give only one of them", field=seconds
            )


def settled(options: TaskOptions, now: datetime, limits: RequestLimits) -> Settled:
    """The times of a task submitted ``now``. Raises `InvalidRequest` where they cannot be."""
    if options is NO_OPTIONS:
        return _PLAIN
    not_before = _instant(options.delay_seconds, options.not_before, now)
    _check_distance(not_before, "not_before", now + limits.max_delay)
    if not_before is not None and not_before <= now + SOON:
        not_before = None
    expires_at = _instant(options.expires_in_seconds, options.expires_at, now)
    _check_distance(expires_at, "expires_at", now + 2 * limits.max_delay)
    if expires_at is not None and expires_at <= (not_before or now):
        field = "expires_at" if options.expires_in_seconds is None else "expires_in_seconds"
        when = "in the past" if not_before is None else "before the task's time comes"
        raise InvalidRequest(f"{field} is {when}: the task could never start", field=field)
    return Settled(not_before=not_before, expires_at=expires_at)


def _check_backoff(backoff: Backoff, limits: RequestLimits) -> None:
    longest = limits.max_timeout
    check_seconds(backoff.first_seconds, "backoff.first_seconds", longest, zero=True)
    check_seconds(backoff.longest_seconds, "backoff.longest_seconds", longest, zero=True)
    if backoff.factor is not None and not 1 <= backoff.factor <= MAX_FACTOR:
        raise InvalidRequest(
            f"backoff.factor must be from 1 to {MAX_FACTOR:.0f}", field="backoff.factor"
        )


def _instant(seconds: float | None, at: datetime | None, now: datetime) -> datetime | None:
    return at if seconds is None else now + timedelta(seconds=seconds)


def _check_distance(instant: datetime | None, field: str, latest: datetime) -> None:
    if instant is not None and instant > latest:
        raise InvalidRequest(f"{field} is too far away: at most {latest:%Y-%m-%d}", field=field)
