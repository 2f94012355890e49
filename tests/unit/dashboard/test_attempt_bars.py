"""Attempts on a line of time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from coordinator.client import TimelineEvent
from coordinator.dashboard.pages.attempt_bars import WIDTH, AttemptRow, attempt_rows

BEGAN = datetime(2026, 1, 31, 12, tzinfo=UTC)


def event(seconds: float, kind: str, attempt: int = 1, generation: int = 1) -> TimelineEvent:
    return TimelineEvent(
        event_id=f"{kind}-{seconds}",
        type=f"task.{kind}",
        time=BEGAN + timedelta(seconds=seconds),
        generation=generation,
        attempt=attempt,
        agent_id=None if kind == "submitted" else "ada",
    )


def rows(*events: TimelineEvent, now: float = 100) -> list[AttemptRow]:
    return attempt_rows(events, BEGAN + timedelta(seconds=now))


def drawn(row: AttemptRow) -> list[tuple[str, float, float]]:
    return [(bar.kind, bar.x, bar.width) for bar in row.bars]


def test_without_events_there_is_nothing_to_draw() -> None:
    assert rows() == []


def test_an_attempt_waits_and_then_works_up_to_its_end() -> None:
    [row] = rows(event(0, "submitted"), event(4, "started"), event(10, "completed"))
    assert drawn(row) == [("waiting", 0, 400), ("completed", 400, 600)]
    assert (row.seconds, row.end, row.agent_id) == (6, "completed", "ada")


def test_what_goes_on_is_drawn_up_to_now() -> None:
    [row] = rows(event(0, "submitted"), event(20, "started"), now=40)
    assert drawn(row) == [("waiting", 0, 500), ("running", 500, 500)]
    assert row.end == "goes on"
    [row] = rows(event(0, "submitted"), now=40)
    assert drawn(row) == [("waiting", 0, WIDTH)]
    assert (row.seconds, row.end) == (None, "waits")


def test_the_next_attempt_waits_from_the_end_of_the_one_before() -> None:
    told = rows(
        event(0, "submitted"),
        event(2, "started"),
        event(4, "failed"),
        event(8, "started", attempt=2),
        event(10, "completed", attempt=2),
    )
    assert [drawn(row) for row in told] == [
        [("waiting", 0, 200), ("failed", 200, 200)],
        [("waiting", 400, 400), ("completed", 800, 200)],
    ]
    assert [(row.attempt, row.end) for row in told] == [(1, "failed"), (2, "completed")]


def test_a_further_generation_is_rows_of_its_own() -> None:
    told = rows(event(0, "started"), event(5, "failed"), event(10, "started", generation=2))
    assert [(row.generation, row.attempt) for row in told] == [(1, 1), (2, 1)]


def test_people_are_asked_between_two_stretches_of_work() -> None:
    [row] = rows(
        event(0, "started"), event(2, "asked"), event(8, "answered"), event(10, "completed")
    )
    assert drawn(row) == [("completed", 0, 200), ("asking", 200, 600), ("completed", 800, 200)]
    [row] = rows(event(0, "started"), event(50, "asked"), now=100)
    assert [bar.kind for bar in row.bars] == ["running", "asking"]


def test_what_took_no_time_is_seen_and_stays_in_the_drawing() -> None:
    [row] = rows(event(0, "submitted"), event(10, "started"), event(10, "completed"))
    last = row.bars[-1]
    assert last.width > 0
    assert last.x + last.width <= WIDTH
