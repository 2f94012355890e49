"""Keeps the list of queues that an agent takes tasks from."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from coordinator.errors import QueueRefused
from coordinator.protocol.messages.registration import sources_hash
from coordinator.protocol.task_queue import TaskQueue

__all__ = ["ServedQueues"]

logger = logging.getLogger(__name__)

FIRST_ABSENCE = 1.0
LONGEST_ABSENCE = 60.0
"""Seconds for which a queue that does not exist is left out; doubled each time that it is missed."""

FIRST_REFUSAL = 5.0
LONGEST_REFUSAL = 300.0
"""The same for one that the agent's user may not read, until somebody grants it."""


TOLD_LASTS = 60.0
"""Seconds for which it is remembered when a single queue was opened or given up: longer than any list of all
of them is under way."""


@dataclass(frozen=True, slots=True)
class _LeftOut:
    until: float
    absence: float


class ServedQueues:
    """Knows what the coordinator offered, less what is missing on the broker, or may not be read. ``clock``
    is in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._offered: dict[TaskQueue, int] = {}
        self._openings = 0
        self._missing: dict[TaskQueue, _LeftOut] = {}
        self._refused: dict[TaskQueue, _LeftOut] = {}
        self._read: set[TaskQueue] = set()
        self._new: list[TaskQueue] = []
        self._told: dict[TaskQueue, float] = {}
        """When it was said of a single queue that it was opened or given up, the latest at the end."""
        self.on_change: Callable[[], None] = lambda: None
        """Called whenever `hash` changes."""

    def __len__(self) -> int:
        return len(self._offered)

    def __contains__(self, source: TaskQueue) -> bool:
        return source in self._offered

    def replace(self, sources: Iterable[TaskQueue], *, as_of: float) -> None:
        """Serve these and no other; all of them exist, says who offers them. ``as_of``, by the clock, is the
        earliest moment at which the list can have been made: what was said of a single queue since then is
        newer, and stays.
        """
        known, self._offered = self._offered, {}
        newer = {source for source, told in self._told.items() if told > as_of}
        kept = (source for source in known if source in newer)
        for source in (*(source for source in sources if source not in newer), *kept):
            if source not in known:
                self._new.append(source)
            self._offered[source] = known.get(source) or self._next_opening()
        self._missing.clear()
        self._refused = {one: left for one, left in self._refused.items() if one in self._offered}
        self.on_change()

    def add(self, source: TaskQueue) -> None:
        """A queue was opened, or opened again."""
        self._note(source)
        self._missing.pop(source, None)
        if source not in self._offered:
            logger.info("serving a new queue", extra={"queue": source.queue})
        self._offered[source] = self._next_opening()
        self._new.append(source)
        self.on_change()

    def take_new(self) -> list[TaskQueue]:
        """Those that were opened since this was asked last, and are still served."""
        new, self._new = self._new, []
        return [source for source in dict.fromkeys(new) if source in self._offered]

    def opening(self, source: TaskQueue) -> int | None:
        """Another number each time that the queue was opened; None where it is not offered."""
        return self._offered.get(source)

    def _next_opening(self) -> int:
        self._openings += 1
        return self._openings

    def remove(self, source: TaskQueue) -> None:
        """A queue was given up."""
        self._note(source)
        if source in self._offered:
            del self._offered[source]
            self._missing.pop(source, None)
            self._refused.pop(source, None)
            self.on_change()

    def _note(self, source: TaskQueue) -> None:
        now = self._clock()
        self._told.pop(source, None)
        self._told[source] = now
        forgotten = itertools.takewhile(
            lambda told: now - self._told[told] > TOLD_LASTS, list(self._told)
        )
        for old in forgotten:
            del self._told[old]

    def miss(self, source: TaskQueue) -> None:
        """The broker says that the queue does not exist: leave it out for a while."""
        before = self._missing.get(source)
        absence = FIRST_ABSENCE if before is None else min(2 * before.absence, LONGEST_ABSENCE)
        self._missing[source] = _LeftOut(self._clock() + absence, absence)
        if before is None:
            logger.warning("a queue does not exist", extra={"queue": source.queue})
            self.on_change()

    def found(self, source: TaskQueue) -> None:
        """It exists after all."""
        if source in self._missing:
            del self._missing[source]
            self.on_change()

    def refuse(self, source: TaskQueue, why: QueueRefused) -> None:
        """The agent's user may not read it: leave it out for longer and longer, and do the rest."""
        if source not in self._offered:
            return
        self._read.discard(source)
        before = self._refused.get(source)
        absence = FIRST_REFUSAL if before is None else min(2 * before.absence, LONGEST_REFUSAL)
        self._refused[source] = _LeftOut(self._clock() + absence, absence)
        if before is None:
            logger.warning("a queue is left out: %s", why, extra={"queue": source.queue})
            self.on_change()

    def may_read(self, source: TaskQueue) -> None:
        """It was read from."""
        self._read.add(source)
        if self._refused and self._refused.pop(source, None) is not None:
            logger.info("a queue is served after all", extra={"queue": source.queue})
            self.on_change()

    def was_read(self, source: TaskQueue) -> bool:
        """Whether the agent's user is known to have the permission."""
        return source in self._read

    @property
    def refused(self) -> list[str]:
        """The names of the queues that this user may not read, sorted."""
        return sorted(source.queue for source in self._refused)

    def to_probe(self) -> list[TaskQueue]:
        """What is there and may be read, and what was left out for long enough to ask again."""
        if not self._missing and not self._refused:
            return list(self._offered)
        now = self._clock()
        return [
            source
            for source in self._offered
            if all(
                source not in left_out or left_out[source].until <= now
                for left_out in (self._missing, self._refused)
            )
        ]

    @property
    def hash(self) -> str:
        """Of the queues that are served: a missing one shows, and the coordinator opens it again. One that
        may not be read does not: to be told of it again is of no use.
        """
        return sources_hash(source for source in self._offered if source not in self._missing)
