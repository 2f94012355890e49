"""Measures how long the tasks of each queue take this agent, and from which queues they come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from coordinator.protocol.task_queue import TaskQueue

__all__ = ["TaskDurations"]

UNKNOWN = 0.1
"""Seconds: what an unknown task is taken to last, so that the unknown counts as long."""

WEIGHT = 0.2
"""Of the latest task in the mean: after a slow one, some fifteen quick ones make it quick again."""

LONGEST = 1.0
"""Seconds: a longer task counts as this, so that one of an hour is not remembered for a day."""

DISTRUST = 1.0
"""Seconds."""

LATELY = 200
"""Tasks after which each counts half."""


class TaskDurations:
    """Keeps a moving mean of the seconds that a handler takes, for each queue. ``clock`` is in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._mean: dict[TaskQueue, float] = {}
        self._distrusted: dict[TaskQueue, float] = {}
        self._lately: Counter[TaskQueue] = Counter()

    @property
    def lately(self) -> Mapping[TaskQueue, int]:
        """How many of the latest tasks came from each queue, older ones counted for less."""
        return self._lately

    def note(self, source: TaskQueue, seconds: float) -> None:
        """A task of ``source`` has taken so long."""
        before = self._mean.get(source, UNKNOWN)
        self._mean[source] = before + WEIGHT * (min(seconds, LONGEST) - before)
        self._lately[source] += 1
        if self._lately.total() > LATELY:
            self._lately = Counter({one: count // 2 for one, count in self._lately.items()})

    def distrust(self, source: TaskQueue) -> None:
        """Take its tasks for unknown for a while, however quick they are."""
        self._distrusted[source] = self._clock() + DISTRUST

    def mean(self, source: TaskQueue) -> float:
        """Seconds; `UNKNOWN` for a queue of which nothing is known, or nothing is believed."""
        if source in self._distrusted:
            if self._clock() < self._distrusted[source]:
                return UNKNOWN
            del self._distrusted[source]
        return self._mean.get(source, UNKNOWN)
