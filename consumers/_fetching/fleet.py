"""Knows the wake queue of an agent's kind, and how many agents share the looking for work."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Fleet"]


class Fleet:
    """Is told by the coordinator when the agent registers, and by the broker whenever the agent looks.
    Without a wake queue an agent counts as alone, and looks as often.
    """

    def __init__(self) -> None:
        self.wake_queue: str | None = None
        """Where agents of this kind wait to be woken; None where there is none that may be used."""
        self.proven = False
        """Whether this agent has consumed it. Before that nobody is called: a call that the broker refuses
        costs the channel of all that is published."""
        self._refused: str | None = None
        self._queues = 1
        self._resting = 1
        self.on_missing: Callable[[], None] = lambda: None
        """Called when the wake queue is found to be missing: to register again opens it again."""

    @property
    def resting(self) -> int:
        """Agents of this kind that rest, this one included, when the broker was asked last."""
        return self._resting

    @property
    def size(self) -> int:
        """About how many agents rest, of all kinds: as if they were of one size."""
        return self._resting * self._queues

    def told(self, wake_queue: str | None, queues: int) -> None:
        """The coordinator named the queue, and how many such ``queues`` there are."""
        if wake_queue != self.wake_queue:
            self.proven = False
        self.wake_queue = None if wake_queue == self._refused else wake_queue
        self._queues = max(1, queues)

    def counted(self, consumers: int) -> None:
        """The broker said how many consume the wake queue."""
        self._resting = max(1, consumers)

    def missing(self) -> None:
        """It does not exist. The fleet is as large as before all the same."""
        self.wake_queue, self.proven = None, False
        self.on_missing()

    def refused(self) -> None:
        """It may not be consumed, or called: this agent looks for work by itself from now on."""
        self._refused, self.wake_queue, self.proven = self.wake_queue, None, False
