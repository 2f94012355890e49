"""Bounds how many callbacks are sent at a time, in all and to one host: a slow one holds up no other."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from coordinator.registry.feed.callback_leases import LeaseLimits

__all__ = ["HostSlots", "SlotLimits"]

REMEMBERED = 10_000
"""Hosts that failed last time; beyond it all are forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotLimits:
    """Says how many may be sent at a time."""

    most: int = 64
    each: int = 4
    """To one host; to one that failed last time, one."""


class HostSlots:
    """Counts what is being sent. A host whose last POST failed gets one at a time until one succeeds: so many
    hosts that do not answer cannot take all slots for long.
    """

    def __init__(self, limits: SlotLimits) -> None:
        self._limits = limits
        self._held: Counter[str] = Counter()
        self._shy: set[str] = set()

    @property
    def free(self) -> int:
        """How many more may be sent."""
        return self._limits.most - self._held.total()

    def room(self) -> LeaseLimits:
        """What may be leased now."""
        return LeaseLimits(
            most=self.free,
            each=self._limits.each,
            held=dict(self._held),
            shy=frozenset(self._shy),
        )

    def take(self, host: str) -> None:
        """One is sent to ``host``."""
        self._held[host] += 1

    def give_back(self, host: str, *, failed: bool) -> None:
        """It has ended."""
        self._held[host] -= 1
        if self._held[host] <= 0:
            del self._held[host]
        if not failed:
            self._shy.discard(host)
            return
        if len(self._shy) >= REMEMBERED:
            self._shy.clear()
        self._shy.add(host)
