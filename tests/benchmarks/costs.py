"""Counts the CPU time that each party takes for a task: server, broker, workers and the client that sends."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .processes import cpu_seconds
from .results import Results

__all__ = ["Clock", "Costs", "cpu_of", "note_costs"]

Clock = Callable[[], float]
"""Seconds of CPU so far."""


class Costs:
    """Begins when it is made; ends for all parties with `for_each`, or for one before that with `stop`."""

    def __init__(self, **parties: Clock) -> None:
        self._parties = parties
        self._began = {party: clock() for party, clock in parties.items()}
        self._spent: dict[str, float] = {}

    def stop(self, party: str) -> None:
        """What the party takes from now on is no cost of this measurement."""
        self._spent[party] = self._parties[party]() - self._began[party]

    def for_each(self, tasks: int) -> dict[str, float]:
        """Seconds a task, by party."""
        for party in self._parties:
            if party not in self._spent:
                self.stop(party)
        return {party: self._spent[party] / tasks for party in self._parties}


def cpu_of(*pids: int) -> Clock:
    """Of these processes together, with all that they start."""
    return lambda: sum(cpu_seconds(pid) for pid in pids)


def note_costs(results: Results, who: str, costs: Mapping[str, float], *, where: str = "") -> None:
    """A row for each party, in seconds a task, and one for all of them. ``where`` ends their names."""
    named = {f"the {party}": seconds for party, seconds in costs.items()}
    for name, seconds in (named | {"all of these": sum(costs.values())}).items():
        results.note(f"  CPU of {name}{where}, µs a task", who, 1e6 * seconds, less_is_better=True)
