"""Says how much the feed reads at a time, and how much of the process subscribers may take."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["USUAL", "FeedPace"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedPace:
    """Says how much is read at a time, and how much of the process all subscribers together may take."""

    page: int = 1000
    """Events of one query."""
    looks_every: float = 1.0
    """Seconds without a hint until the ledger is looked at all the same."""
    follows_every: float = 10.0
    """Seconds between two requests to be told when the ledger grows."""
    per_delivery: float = 0.002
    """Seconds until the next round, for each subscriber that this one has given something: forty times what
    that takes, so that subscribers take a fortieth of the process, and submissions have the rest. The first
    event after a pause is given at once."""
    per_round: float = 0.1
    """Seconds until the next round in any case, where this one has brought something: one look at the ledger
    is for all events that came meanwhile."""
    per_comparison: float = 0.00002
    """The same for each comparison of an event with a filter."""
    warm: int = 2000
    """Positions that are read at once for the first who comes back: most likely there are others."""
    replays: int = 2
    """Pages that are read at a time for those who are behind; the ledger's other readers answer requests."""


USUAL = FeedPace()
