"""Says whether a request that failed is sent again, and after how long. A pure function."""

from __future__ import annotations

from dataclasses import dataclass

from coordinator.client.errors import (
    AnswerLost,
    ClientError,
    Conflict,
    NotSent,
    OutcomeUnknown,
    ServerError,
    TooManyRequests,
    Unavailable,
)

__all__ = ["ONCE", "Retries", "pause_before_retry", "worth_repeating"]

_OF_PROXIES = frozenset({502, 504})


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """Bounds how long and how often a call is tried."""

    total_seconds: float = 60.0
    """For a call with all that it repeats. A pause that would end later is not begun: the error is raised
    at once. A wait for a task is bounded by its own timeout, and by this only while nothing answers."""
    answer_seconds: float = 30.0
    """Without a byte of an answer, after which it counts as lost."""
    attempts: int | None = None
    """How often a request is sent at most; None for as often as the time allows."""
    while_unreachable: bool = True
    """Also where no connection can be made. Whoever looks on is told of that at once, with False."""
    first_pause: float = 0.1
    """Seconds, where the service does not say; each further pause is up to twice the one before."""
    longest_pause: float = 5.0
    """Seconds."""


ONCE = Retries(attempts=1)
"""Nothing is sent again."""


def worth_repeating(error: ClientError, *, repeatable: bool) -> bool:
    """Whether the same request may be answered better later. What may have been done already is sent again
    only where that is safe: ``repeatable``.
    """
    match error:
        case NotSent() | TooManyRequests():
            return True
        case AnswerLost() | OutcomeUnknown():
            return repeatable
        case Unavailable():
            return True
        case Conflict(retry_after=after):
            # Another coordinator still answers the same Idempotency-Key.
            return repeatable and after is not None
        case ServerError(status=status):
            return repeatable and status in _OF_PROXIES
    return False


def pause_before_retry(
    error: ClientError,
    *,
    repeatable: bool,
    attempts: int,
    left: float,
    chance: float,
    retries: Retries,
) -> float | None:
    """Seconds until the request is sent again; None where it is not. ``attempts`` were made, ``left`` seconds
    remain, ``chance`` is random, from 0 to 1. `Retry-After` is the least that is waited; a tenth of it may
    come on top, so that not all who were told the same come back at once.
    """
    if not worth_repeating(error, repeatable=repeatable):
        return None
    if isinstance(error, NotSent) and not retries.while_unreachable:
        return None
    if retries.attempts is not None and attempts >= retries.attempts:
        return None
    told = getattr(error, "retry_after", None)
    # A service that says 0 is not asked without a pause.
    doubled = retries.first_pause * 2.0 ** (0 if told else min(attempts - 1, 30))
    own = min(doubled, retries.longest_pause) * (0.5 + chance / 2)
    pause = own if told is None else max(own, told * (1 + chance / 10))
    return pause if pause < left else None
