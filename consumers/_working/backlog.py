"""Holds the attempts that wait for a slot, and returns them to their queues."""

from __future__ import annotations

from bisect import insort_right
from collections.abc import Iterator

from .attempt import Attempt, Fence
from .give_back_limit import may_be_given_back
from .message_acknowledger import MessageAcknowledger

__all__ = ["Backlog"]


class Backlog:
    """Orders attempts by priority, then by arrival. It fills where the broker pushes more than there are
    slots, and while the agent drains.
    """

    def __init__(self, receipts: MessageAcknowledger) -> None:
        self._receipts = receipts
        self._waiting: list[Attempt] = []
        self.draining = False
        """Whether nothing more is to be started."""
        self._keeping = False
        """Whether what is to go back is kept, since the broker may push it here again."""

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Attempt]:
        return iter(self._waiting)

    def find(self, fence: Fence) -> Attempt | None:
        return next((one for one in self._waiting if one.fence == fence), None)

    def add(self, attempt: Attempt) -> None:
        insort_right(self._waiting, attempt, key=_rank)  # among equals in order of arrival

    def next(self) -> Attempt | None:
        """Take out the first that the broker has not taken back."""
        while self._waiting:
            attempt = self._waiting.pop(0)
            if attempt.ours:
                return attempt
        return None

    def drain(self) -> None:
        """Start nothing more. What waits for a slot, and what still arrives, is kept until the broker
        has stopped pushing: a task that is given back before comes again at once, and each return counts.
        """
        if not self.draining:
            self.draining = self._keeping = True

    def give_back(self, attempt: Attempt) -> None:
        """Return one that had been started to its queue; while draining, with the others."""
        if self._keeping:
            self.add(attempt)
        else:
            for delivery in attempt.deliveries:
                self._receipts.give_back(delivery)

    def give_back_surplus(self, *, all_of_it: bool = False) -> None:
        """Return what waits for a slot to its queue.

        A task that was returned often enough is kept, and run next, unless ``all_of_it`` must go: the
        broker pushes nothing more then.
        """
        if all_of_it:
            self._keeping = False
        kept: list[Attempt] = []
        for attempt in self._waiting:
            deliveries = [delivery for delivery in attempt.deliveries if delivery.channel.open]
            if all_of_it or all(may_be_given_back(d.delivery_count) for d in deliveries):
                for delivery in deliveries:
                    self._receipts.give_back(delivery)
            else:
                kept.append(attempt)
        self._waiting = kept


def _rank(attempt: Attempt) -> int:
    return attempt.source.priority.rank
