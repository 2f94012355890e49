"""Notices an undeliverable message at a queue's head: the broker ends the connection of each reader.

It may hold a message that it cannot deliver to an AMQP 0-9-1 connection, such as one that came in by
another protocol. What is behind that message cannot be read either, and every other reader of the same
connection goes with it. From here it looks like a broker that is away now and then, unless one counts:

    messages wait ─▶ consume ─▶ the connection ends within seconds, nothing was settled ─▶ one more
                                         something was settled, or it lasted ─▶ none

Whoever reads other things on the same connection leaves such a queue alone for a while: each end costs
the others what they have in hand.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from .connection_timings import DEFAULT_TIMINGS, ConnectionTimings

__all__ = [
    "MANY_ENDS",
    "WHAT_TO_DO",
    "HeadOfQueue",
    "HeadsOfQueues",
    "undeliverable",
]

MANY_ENDS = 4
"""In a row: fewer are a broker that is restarted."""

SOON = 10.0
"""Seconds from the beginning of a reading within which its end is laid to what was read."""


@dataclass(slots=True)
class _Reading:
    began: float
    waiting: bool
    """Whether there was something to read."""


class HeadOfQueue:
    """Of one queue, over all the connections that this process reads it with."""

    def __init__(
        self,
        queue: str,
        *,
        timings: ConnectionTimings = DEFAULT_TIMINGS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.queue = queue
        self._timings = timings
        self.ends = 0
        """Connections in a row that ended as soon as the queue was read."""
        self.has_passed = False
        self._monotonic = monotonic
        self._ended = 0.0
        self._reading: _Reading | None = None

    def began(self, *, waiting: int) -> None:
        """The queue is read from now on, and so many messages wait."""
        self._reading = _Reading(self._monotonic(), bool(waiting))

    def stopped(self) -> None:
        """It is not read any more, and nothing came."""
        self._reading = None

    def passed(self) -> None:
        """Something was read and settled."""
        self._reading = None
        self.ends = 0
        self.has_passed = True

    def connection_ended(self) -> None:
        """While the queue was being read."""
        reading, self._reading = self._reading, None
        if reading is None or not reading.waiting:
            return
        self._ended = self._monotonic()
        self.ends = self.ends + 1 if self._ended - reading.began < SOON else 0

    @property
    def stuck(self) -> bool:
        """Whether so many connections in a row have ended that a message at the head must be the cause."""
        return self.ends >= MANY_ENDS

    @property
    def rests(self) -> bool:
        """Whether it is to be left alone now."""
        if not self.stuck:
            return False
        doubled = self._timings.first_rest * 2.0 ** min(self.ends - MANY_ENDS, 10)
        rest = min(doubled, self._timings.longest_rest)
        return self._monotonic() - self._ended < rest

    @property
    def readable(self) -> bool:
        """Whether something was read, and nothing has gone wrong since."""
        return self.has_passed and not self.ends


class HeadsOfQueues:
    """Of all queues that one connection reads in batches."""

    def __init__(self, timings: ConnectionTimings = DEFAULT_TIMINGS) -> None:
        self._timings = timings
        self._heads: dict[str, HeadOfQueue] = {}

    def of(self, queue: str) -> HeadOfQueue:
        return self._heads.setdefault(queue, HeadOfQueue(queue, timings=self._timings))

    def all(self) -> list[HeadOfQueue]:
        return list(self._heads.values())

    def problems(self) -> list[str]:
        """What an operator is told, a sentence each."""
        return [
            f"{undeliverable(one.queue)}: {WHAT_TO_DO}."
            for one in list(self._heads.values())  # another thread may ask
            if one.stuck
        ]


def undeliverable(queue: str) -> str:
    return (
        f"The broker ends the connection whenever {queue} is read: it cannot deliver a message at the"
        " head of it"
    )


WHAT_TO_DO = (
    "its own log says why; update RabbitMQ, or turn off the plugin that took the message in; where that"
    " does not help, delete the queue, which is declared anew (docs/operations/trouble.md says what is"
    " lost then)"
)
