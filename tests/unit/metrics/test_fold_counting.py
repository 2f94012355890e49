"""What becomes of tasks is counted once, where it is folded, and never with a label without a bound."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from coordinator.domain.task import State, Task
from coordinator.metrics.counted_figures import CountedFigures, Labels
from coordinator.metrics.counters.fold_counting import MOST_ERROR_TYPES, OTHER, FoldCounting
from coordinator.metrics.metric_catalogue import (
    DEAD,
    ENDED,
    EXECUTIONS,
    FAILED_ATTEMPTS,
    FOLD,
    FOLD_FAILED,
    PARKED_NOW,
    RETRIES,
    START,
    Metric,
)
from coordinator.protocol.priority import Priority
from coordinator.registry.ledger.batch_folding import FoldedBatch, TaskChange

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def counts(figures: CountedFigures, metric: Metric) -> dict[Labels, float]:
    return {labels: value for labels, value in figures.counter(metric).items() if value}


def known(**fields: Any) -> Task:
    given: dict[str, Any] = {"content": 1, "priority": Priority.HIGH, "submitted_at": NOON}
    return Task(task_id="t1", **(given | fields))


def counted(*changes: tuple[Task | None, Task]) -> CountedFigures:
    figures = CountedFigures()
    counting = FoldCounting(figures, clock=lambda: 0.0)
    for was, now in changes:
        counting.before([])
        counting.folded([], FoldedBatch(changed=[TaskChange(was, now)]))
    return figures


def test_a_task_from_its_submission_to_its_end() -> None:
    queued = known(published=1)
    running = queued._replace(
        state=State.RUNNING, starts=1, first_started_at=NOON + timedelta(seconds=2)
    )
    figures = counted(
        (None, queued),
        (queued, running),
        (running, running._replace(state=State.COMPLETED)),
    )
    assert counts(figures, EXECUTIONS) == {("high",): 1}
    assert counts(figures, ENDED) == {("completed", "high"): 1}
    assert counts(figures, RETRIES) == counts(figures, DEAD) == {}
    assert figures.histogram(START, "high").total == 2.0
    assert figures.histogram(FOLD).number == 3


def test_what_happened_in_one_batch_counts_as_in_several() -> None:
    dead = known(state=State.DEAD, published=3, starts=3, failures=3, error={"type": "ValueError"})
    figures = counted((None, dead))
    assert counts(figures, EXECUTIONS) == {("high",): 3}
    assert counts(figures, FAILED_ATTEMPTS) == {("high",): 3}
    assert counts(figures, RETRIES) == {("high",): 2}
    assert counts(figures, DEAD) == {("ValueError",): 1}


def test_what_is_said_of_a_task_before_its_message_counts_with_the_message() -> None:
    stub = Task(task_id="t1", state=State.RUNNING, starts=1, first_started_at=NOON)
    figures = counted((None, stub), (stub, known(starts=1, first_started_at=NOON)))
    assert counts(figures, EXECUTIONS) == {("high",): 1}
    assert figures.histogram(START, "high").number == 1


def test_a_redriven_task_ends_again() -> None:
    dead = known(state=State.DEAD, published=3, starts=3, failures=3, error={"type": "E"})
    again = dead._replace(state=State.QUEUED, generation=2, published=1, error=None)
    done = again._replace(state=State.COMPLETED, starts=4)
    figures = counted((dead, again), (again, done), (dead, done))
    assert counts(figures, ENDED) == {("completed", "high"): 2}
    assert counts(figures, RETRIES) == {}


def test_an_end_that_is_told_again_does_not_count_again() -> None:
    done = known(state=State.COMPLETED)
    figures = counted((done, done._replace(progress={"fraction": 1.0})))
    assert counts(figures, ENDED) == {}


def test_types_of_errors_beyond_the_first_ones_are_one() -> None:
    deaths = [
        (None, known(state=State.DEAD, error={"type": f"Error{number}"}))
        for number in range(MOST_ERROR_TYPES + 5)
    ]
    dead = counted(*deaths, deaths[0]).counter(DEAD)
    assert len(dead) == MOST_ERROR_TYPES + 1
    assert dead[(OTHER,)] == 5
    assert dead[("Error0",)] == 2


def test_a_type_that_is_long_or_missing_has_a_short_name() -> None:
    dead = counted(
        (None, known(state=State.DEAD, error={"type": "E" * 1000})),
        (None, known(state=State.DEAD)),
    ).counter(DEAD)
    assert sorted(len(kind) for (kind,) in dead) == [7, 80]


def test_transactions_that_were_rolled_back_and_parked_messages_count() -> None:
    figures = CountedFigures()
    counting = FoldCounting(figures)
    counting.before([])
    counting.failed([], ValueError())
    parked: Any = ["one", "two"]
    counting.folded([], FoldedBatch(parked=parked))
    assert counts(figures, FOLD_FAILED) == {(): 1}
    assert counts(figures, PARKED_NOW) == {(): 2}


def test_what_has_not_happened_yet_is_told_as_zero() -> None:
    """Or Prometheus would see no increase at the first time."""
    figures = CountedFigures()
    FoldCounting(figures)
    assert figures.counter(ENDED)[("dead", "low")] == 0
    assert ("dead", "low") in figures.counter(ENDED)
    assert dict(figures.counter(FOLD_FAILED)) == {(): 0}
    assert dict(figures.counter(PARKED_NOW)) == {(): 0}
