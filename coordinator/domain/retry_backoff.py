"""Computes the pause before another attempt: exponential, capped, with jitter. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

__all__ = ["RetryBackoff"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryBackoff:
    """The pause after failed attempt n is ``first * factor ** (n - 1)``, at most ``longest``, less
    a random part of it.
    """

    first: timedelta = timedelta(seconds=5)
    factor: float = 2.0
    longest: timedelta = timedelta(minutes=10)
    spread: float = 0.5
    """The share of the pause that jitter may take away, so that tasks that failed together do not
    come back together."""
    longest_asked: timedelta = timedelta(days=1)
    """A handler may ask for a pause of its own, up to this."""

    def pause(self, attempt: int, *, jitter: float, asked: timedelta | None = None) -> timedelta:
        """The pause after ``attempt`` failed; ``jitter`` is a random number from 0 to 1.

        What a handler ``asked`` for is taken as it is.
        """
        if asked is not None:
            return min(max(asked, timedelta()), self.longest_asked)
        doublings = min(attempt - 1, 64)  # far beyond `longest`, and no float overflows
        seconds = self.first.total_seconds() * self.factor**doublings
        whole = min(seconds, self.longest.total_seconds())
        return timedelta(seconds=whole * (1 - self.spread * jitter))
