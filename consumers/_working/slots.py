"""Counts the slots of an agent that handlers occupy."""

from __future__ import annotations

from .._handling.handler_run import HandlerRun

__all__ = ["Slots"]


class Slots:
    """Knows how many handlers run. One that was given up keeps its slot until it really ends."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._occupied = 0
        self._given_up: set[HandlerRun] = set()

    @property
    def unoccupied(self) -> int:
        return self.count - self._occupied

    @property
    def full(self) -> bool:
        return self._occupied >= self.count

    @property
    def waited_for(self) -> int:
        """Handlers that run and were not given up."""
        return self._occupied - len(self._given_up)

    @property
    def given_up(self) -> int:
        """Handlers that go on although they were told to stop, each in a slot."""
        return len(self._given_up)

    @property
    def stuck(self) -> bool:
        """Whether one of those is a coroutine, without which the event loop cannot be closed."""
        return any(not run.in_thread for run in self._given_up)

    def occupy(self) -> None:
        """To be called before a handler runs, and `release` once nothing of it does."""
        self._occupied += 1

    def give_up(self, run: HandlerRun) -> None:
        """Wait for it no longer."""
        self._given_up.add(run)

    def release(self, run: HandlerRun) -> None:
        """Nothing of it runs any more."""
        self._occupied -= 1
        self._given_up.discard(run)
