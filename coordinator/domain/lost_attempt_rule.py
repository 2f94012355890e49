"""Decides that a running attempt is lost: the ledger has it `running`, and nobody works on it. Pure.

    unnamed, again unnamed ─▶ and not on its queue ─▶ for long enough, and still ─▶ lost

A message is on its queue, in somebody's hands, or gone. What was not on its queue at one moment, and
is named by nobody who was heard since, is gone; and where somebody was not heard since, the broker
has taken back what that agent had, so that it is on its queue again or in hands that name it. The
decision, and what remains uncertain: docs/decisions/0016.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum

__all__ = ["Watch", "Witness", "patience"]


class Witness(Enum):
    """An agent that started an attempt and does not name it: what that says."""

    #: it was heard lately, and its heartbeats name what it has in hand: it does not have this one
    DENIES = "denies"
    #: it was heard lately, and never named any task: its silence says nothing
    NEVER_NAMES = "never names"
    #: it was not heard lately, and used to name its tasks: what it had, the broker has taken back
    GONE = "gone"
    #: it was not heard lately, and is not known to have named any: it may work on without a word
    SILENT = "silent"


def patience(
    runners: Iterable[Witness], *, after: timedelta, time_limit: timedelta
) -> timedelta | None:
    """For how long an attempt must be nowhere until it is lost; None: that cannot be told now.

    ``time_limit`` is what the attempt may take. Where an agent never says what it does, that must be
    over, too.
    """
    said = set(runners)
    if Witness.NEVER_NAMES in said:
        return None
    return after + time_limit if Witness.SILENT in said else after


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Records the looks at the queue of one attempt that nobody names."""

    passed: int | None = None
    """Where in the log the newest task of its queue was that had started by the last look, of those
    that came after this one; 0 for none, and None before a look."""
    off_queue_since: float | None = None
    """When it was first seen not to be on its queue, in seconds of hearing agents."""
    off_queue: bool = False
    """Whether the last look showed that."""

    def looked(self, *, now: float, empty: bool, passed: int) -> Watch:
        """After another look, at ``now``.

        A queue is served in order, and what comes back to it comes back to its head: what was there
        would have been taken before one that came later and has started meanwhile.
        """
        passed_on = self.passed is not None and passed > self.passed
        off_queue = empty or passed_on
        since = self.off_queue_since
        return replace(
            self,
            passed=passed,
            off_queue=off_queue,
            off_queue_since=now if off_queue and since is None else since,
        )

    def lasted(self, now: float) -> timedelta | None:
        """For how long it has been nowhere by the last look; None where it may be on its queue."""
        if self.off_queue_since is None or not self.off_queue:
            return None
        return timedelta(seconds=now - self.off_queue_since)
