"""Decides what follows from one try of a callback: delivered, once more after a pause, or dead. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from coordinator.domain.retry_backoff import RetryBackoff

from .callback_delivery import CallbackDelivery, DeliveryState

__all__ = ["PostResult", "TryRules", "Verdict", "judged"]

GONE = 410
"""By which a receiver says that it wants no more."""

ASKING = frozenset({429, 503})
"""With these, `Retry-After` counts."""

_BACKOFF = RetryBackoff(
    first=timedelta(seconds=5), factor=4.0, longest=timedelta(hours=2), spread=0.2
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostResult:
    """Tells what came of one POST."""

    status: int | None = None
    """What the receiver answered; None where it did not."""
    error: str | None = None
    """Why there was no answer, or none was asked for, as a sentence."""
    final: bool = False
    """Whether no further try can go better: the address is refused."""
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TryRules:
    """Says how long a delivery is tried, and with which pauses."""

    within: timedelta = timedelta(days=1)
    """After this, counted from when trying began, comes the last try."""
    backoff: RetryBackoff = _BACKOFF
    longest_asked: timedelta = timedelta(hours=6)
    """A receiver may ask for a pause of its own, up to this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Says where a delivery stands after a try."""

    state: DeliveryState
    due_at: datetime
    """The next try, while it is pending."""
    status: int | None
    error: str | None


def judged(
    delivery: CallbackDelivery, result: PostResult, rules: TryRules, *, now: datetime, jitter: float
) -> Verdict:
    """What follows from ``result`` of the try that was made ``now``; ``jitter`` is a random number from 0
    to 1.
    """
    status = result.status
    if status is not None and 200 <= status < 300:
        return Verdict(state=DeliveryState.DELIVERED, due_at=now, status=status, error=None)
    error = result.error or _sentence(status)
    ended = delivery.since + rules.within
    if result.final or status == GONE or now >= ended:
        return Verdict(state=DeliveryState.DEAD, due_at=now, status=status, error=error)
    pause = rules.backoff.pause(delivery.attempts + 1, jitter=jitter)
    if status in ASKING and result.retry_after is not None:
        pause = max(pause, min(result.retry_after, rules.longest_asked))
    return Verdict(
        state=DeliveryState.PENDING, due_at=min(now + pause, ended), status=status, error=error
    )


def _sentence(status: int | None) -> str:
    if status is None:
        return "The receiver did not answer"
    if status == GONE:
        return "The receiver answered 410: it wants no more of this"
    if 300 <= status < 400:
        return f"The receiver answered {status}: redirects are not followed, name the final URL"
    return f"The receiver answered {status}"
