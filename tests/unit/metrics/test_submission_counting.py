"""Submissions are counted by how they ended, whichever way they came."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from coordinator.errors import BrokerUnavailable
from coordinator.metrics.counted_figures import CountedFigures, Labels
from coordinator.metrics.counting import Counting
from coordinator.metrics.metric_catalogue import REFUSED, SUBMIT, SUBMITTED, Metric
from coordinator.protocol.priority import Priority
from coordinator.submission.batch_submitter import Verdict
from coordinator.submission.task_maker import Accepted, SubmitTask


def accepted(priority: Priority) -> Accepted:
    return Accepted(task_id="t", priority=priority, submitted_at=datetime.now(UTC))


def counts(figures: CountedFigures, metric: Metric) -> dict[Labels, float]:
    return {labels: value for labels, value in figures.counter(metric).items() if value}


class Submitting:
    """Raises or answers what it is given."""

    def __init__(self, *ends: Accepted | Exception) -> None:
        self.ends = list(ends)

    async def submit(self, command: SubmitTask) -> Accepted:
        end = self.ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return end

    async def submit_all(self, commands: Sequence[SubmitTask]) -> list[Any]:
        return self.ends


COMMAND = SubmitTask(task_data={})


async def test_accepted_and_refused_tasks_count_by_priority_and_by_error() -> None:
    counting = Counting()
    fake: Any = Submitting(accepted(Priority.HIGH), BrokerUnavailable("away"), KeyError("x"))
    submitter = counting.single(fake)
    await submitter.submit(COMMAND)
    with pytest.raises(BrokerUnavailable):
        await submitter.submit(COMMAND)
    with pytest.raises(KeyError):
        await submitter.submit(COMMAND)
    figures = counting.figures
    assert counts(figures, SUBMITTED) == {("high", "single"): 1}
    assert counts(figures, REFUSED) == {("BrokerUnavailable",): 1, ("other",): 1}
    assert figures.histogram(SUBMIT, "single").number == 1


async def test_each_task_of_a_batch_counts_and_the_batch_is_one_duration() -> None:
    counting = Counting()
    verdicts: list[Verdict] = [
        accepted(Priority.LOW),
        BrokerUnavailable("away"),
        accepted(Priority.LOW),
    ]
    fake: Any = Submitting(*verdicts)
    assert await counting.batches(fake).submit_all([COMMAND] * 3) == verdicts
    figures = counting.figures
    assert counts(figures, SUBMITTED) == {("low", "batch"): 2}
    assert counts(figures, REFUSED) == {("BrokerUnavailable",): 1}
    assert figures.histogram(SUBMIT, "batch").number == 1


async def test_runs_of_schedules_are_told_apart() -> None:
    counting = Counting()
    fake: Any = Submitting(accepted(Priority.NORMAL))
    await counting.scheduled(fake).submit(COMMAND)
    assert counts(counting.figures, SUBMITTED) == {("normal", "schedule"): 1}
