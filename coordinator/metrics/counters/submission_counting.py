"""Counts the tasks that are submitted, one or many at a time, and times their submissions."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from coordinator.errors import CoordinatorError
from coordinator.metrics.counted_figures import CountedFigures
from coordinator.metrics.metric_catalogue import REFUSED, SUBMIT, SUBMITTED
from coordinator.protocol.priority import Priority
from coordinator.submission.batch_submitter import BatchSubmitter, Verdict
from coordinator.submission.submitter import Submitter
from coordinator.submission.task_maker import Accepted, SubmitTask

__all__ = ["CountedBatches", "CountedSubmissions"]


class CountedSubmissions:
    """Submits as ``submitter`` does. ``via`` says what for: `single`, `schedule`. ``clock`` tells seconds."""

    def __init__(
        self,
        submitter: Submitter,
        figures: CountedFigures,
        *,
        via: str,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._submitter = submitter
        self._keys = {priority: (priority.value, via) for priority in Priority}
        self._accepted = figures.counter(SUBMITTED, self._keys.values())
        self._refused = figures.counter(REFUSED)
        self._taken = figures.histogram(SUBMIT, via)
        self._clock = clock

    async def submit(self, command: SubmitTask) -> Accepted:
        """As `Submitter.submit`."""
        began = self._clock()
        try:
            accepted = await self._submitter.submit(command)
        except Exception as exc:
            self._refused[(_name(exc),)] += 1
            raise
        self._taken.observe(self._clock() - began)
        self._accepted[self._keys[accepted.priority]] += 1
        return accepted

    async def check(self, command: SubmitTask) -> None:
        """As `Submitter.check`."""
        await self._submitter.check(command)


class CountedBatches:
    """Submits as ``batches`` does; a batch is one duration, and each of its tasks is counted."""

    def __init__(
        self,
        batches: BatchSubmitter,
        figures: CountedFigures,
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._batches = batches
        self._keys = {priority: (priority.value, "batch") for priority in Priority}
        self._accepted = figures.counter(SUBMITTED, self._keys.values())
        self._refused = figures.counter(REFUSED)
        self._taken = figures.histogram(SUBMIT, "batch")
        self._clock = clock

    async def submit_all(self, commands: Sequence[SubmitTask]) -> list[Verdict]:
        """As `BatchSubmitter.submit_all`."""
        began = self._clock()
        verdicts = await self._batches.submit_all(commands)
        self._taken.observe(self._clock() - began)
        for verdict in verdicts:
            if isinstance(verdict, Accepted):
                self._accepted[self._keys[verdict.priority]] += 1
            else:
                self._refused[(_name(verdict),)] += 1
        return verdicts


def _name(error: BaseException) -> str:
    """Of an error of the tree in `coordinator.errors`, of which there are so many and no more."""
    return type(error).__name__ if isinstance(error, CoordinatorError) else "other"
