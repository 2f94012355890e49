"""Counts publishes that fail or are in flight, and times the broker's confirms: a publish interceptor."""

from __future__ import annotations

import time
from collections.abc import Callable

from coordinator.broker.publisher import Outgoing
from coordinator.errors import CoordinatorError
from coordinator.metrics.counted_figures import CountedFigures
from coordinator.metrics.metric_catalogue import CONFIRM, PUBLISH_FAILED

__all__ = ["PublishCounting"]


class PublishCounting:
    """Sees every message that this process publishes. ``clock`` tells seconds."""

    def __init__(
        self, figures: CountedFigures, *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._taken = figures.histogram(CONFIRM)
        self._failed = figures.counter(PUBLISH_FAILED)
        self._clock = clock
        self._began: dict[int, float] = {}
        """By the identity of the message on its way, which lasts until its end is told."""

    @property
    def in_flight(self) -> int:
        """Messages that were given to the publisher and have not ended."""
        return len(self._began)

    def before(self, outgoing: Outgoing) -> None:
        self._began[id(outgoing)] = self._clock()

    def confirmed(self, outgoing: Outgoing) -> None:
        self._taken.observe(self._clock() - self._began.pop(id(outgoing)))

    def failed(self, outgoing: Outgoing, error: BaseException) -> None:
        self._began.pop(id(outgoing), None)
        name = type(error).__name__ if isinstance(error, CoordinatorError) else "other"
        self._failed[(name,)] += 1
