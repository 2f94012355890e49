"""The tails of all tasks: which run is the current one, and how much memory they take."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.partial_output.output_items import OutputChunk, OutputRun
from coordinator.partial_output.output_tail import OutputCursor
from coordinator.partial_output.output_tails import (
    FORGOTTEN_AFTER,
    KEPT_AFTER_END,
    OF_A_TASK,
    OutputTails,
    Taken,
)

FIRST = OutputRun(generation=1, attempt=1, agent_id="ada", run="r1")
AGAIN = replace(FIRST, agent_id="bob", run="r2")
"""The same attempt, begun by another agent."""
LATER = replace(FIRST, agent_id="bob", run="r5", delivery=(0, 1))
"""The same attempt, from a message that came back after a connection was lost."""
SECOND = replace(FIRST, attempt=2, run="r3")
REDRIVEN = replace(FIRST, generation=2, run="r4")


def tails(most: int = 10**6, *, followed: set[str] | None = None) -> OutputTails:
    return OutputTails(tail_bytes=1000, most_bytes=most, followed=followed or set())


def say(
    kept: OutputTails,
    run: OutputRun,
    *chunks: bytes,
    task: str = "t",
    now: float = 0,
    first: int = 1,
) -> Taken | None:
    return kept.take(task, run, first, chunks, ended=False, now=now)


def kept_of(kept: OutputTails, task: str = "t") -> list[bytes]:
    tail = kept.of(task)
    items = [] if tail is None else OutputCursor(tail).read()
    return [one.encoded for one in items if isinstance(one, OutputChunk)]


def test_a_later_attempt_takes_the_place_of_the_one_before_and_never_the_other_way_round() -> None:
    kept = tails()
    for run, chunk in ((FIRST, b"1"), (SECOND, b"2"), (REDRIVEN, b"3")):
        assert say(kept, run, chunk)
    for over in (FIRST, SECOND):
        assert not say(kept, over, b"late", first=2)
    assert kept_of(kept) == [b"3"]


def test_who_had_an_earlier_message_cannot_pass_for_a_later_attempt_by_the_crashes_that_it_counts() -> (
    None
):
    """Its token is of the first attempt, and of the second is another's."""
    kept = tails()
    pretends = replace(FIRST, agent_id="eve", attempt=21, crashes=20, run="r9", delivery=(9, 9))
    assert say(kept, pretends, b"forged")
    assert say(kept, SECOND, b"2")
    assert not say(kept, pretends, b"forged again", first=2)
    assert kept_of(kept) == [b"2"]


def test_what_is_new_is_told_and_whether_others_before_it_are_missing() -> None:
    kept = tails()
    assert say(kept, FIRST, b"1", b"2") == Taken(new=2, gap=False)
    assert say(kept, FIRST, b"1", b"2") == Taken(new=0, gap=False)
    assert say(kept, FIRST, b"2", b"3", first=2) == Taken(new=1, gap=False)
    assert say(kept, FIRST, b"5", first=5) == Taken(new=1, gap=True)
    assert say(kept, FIRST, b"4", first=4) == Taken(new=0, gap=False)
    assert kept.take("t", FIRST, 9, [], ended=True, now=0) == Taken(new=0, gap=True)
    assert say(kept, FIRST, b"9", first=9) == Taken(new=0, gap=False)
    assert say(kept, SECOND, b"3", first=3) == Taken(new=1, gap=True)


def test_runs_that_are_over_are_counted_among_what_is_in_memory() -> None:
    """One agent may begin any number of them with one token."""
    kept = tails(most=200_000)
    for task in range(100):
        for number in range(20):
            say(kept, replace(FIRST, run=f"r{number}"), b"1", task=f"t{task}")
    assert kept.memory <= 200_000
    assert len(kept) < 40
    for _ in range(2):
        kept.forget(FORGOTTEN_AFTER + 1)
    assert (len(kept), kept.memory) == (0, 0)


def test_of_one_message_the_attempt_after_a_crash_is_the_later_one() -> None:
    kept = tails()
    after_a_crash = replace(FIRST, agent_id="bob", attempt=2, crashes=1, run="r6")
    assert say(kept, FIRST, b"1")
    assert say(kept, after_a_crash, b"2")
    assert not say(kept, FIRST, b"late", first=2)


def test_of_two_runs_at_one_attempt_the_one_that_was_heard_of_last_is_the_current_one() -> None:
    kept = tails()
    assert say(kept, FIRST, b"1")
    assert say(kept, AGAIN, b"2")
    assert not say(kept, FIRST, b"3", first=2)
    assert say(kept, AGAIN, b"4", first=2)
    assert kept_of(kept) == [b"2", b"4"]


@pytest.mark.parametrize("later", [LATER, replace(LATER, delivery=(1, 0))])
def test_the_run_of_the_later_delivery_is_the_current_one_whichever_is_heard_of_first(
    later: OutputRun,
) -> None:
    for first_heard in (FIRST, later):
        kept = tails()
        say(kept, first_heard, b"0")
        assert say(kept, later, b"2", first=2)
        assert not say(kept, FIRST, b"1", first=2)
        assert kept_of(kept)[-1] == b"2"


def test_the_tasks_that_told_nothing_for_longest_make_room() -> None:
    kept = tails(3 * (OF_A_TASK + 100))
    for number in range(5):
        say(kept, FIRST, b"1", task=f"t{number}")
        say(kept, FIRST, b"2", task="t0", first=2 + number)
    assert [task for task in (f"t{number}" for number in range(5)) if kept.of(task)] == ["t0", "t4"]


def test_a_task_that_is_followed_loses_what_was_kept_and_not_its_place() -> None:
    kept = tails(2 * (OF_A_TASK + 100), followed={"t0"})
    say(kept, FIRST, b"1", task="t0")
    tail = kept.of("t0")
    for number in range(1, 4):
        say(kept, FIRST, b"1" * 500, task=f"t{number}")
    assert kept.of("t0") is tail
    assert kept_of(kept, "t0") == []
    say(kept, FIRST, b"2", task="t0", first=2)
    assert kept_of(kept, "t0") == [b"2"]


def test_a_run_that_has_ended_is_kept_for_a_minute_and_a_silent_one_for_an_hour() -> None:
    kept = tails(followed={"followed"})
    kept.take("ended", FIRST, 1, [b"1"], ended=True, now=0)
    kept.take("followed", FIRST, 1, [b"1"], ended=True, now=0)
    say(kept, FIRST, b"1", task="silent")
    kept.forget(KEPT_AFTER_END)
    assert kept.of("ended")
    kept.forget(KEPT_AFTER_END + 1)
    assert kept.of("ended") is None
    assert kept.of("silent")
    kept.forget(FORGOTTEN_AFTER + 1)
    assert kept.of("silent") is None
    assert kept.of("followed")


TOLD = st.tuples(
    st.sampled_from(["a", "b", "c", "d"]),
    st.sampled_from([FIRST, AGAIN, LATER, SECOND, REDRIVEN]),
    st.integers(1, 20),
    st.lists(st.integers(0, 600).map(lambda size: b"1" * size), max_size=4),
    st.booleans(),
)


@given(told=st.lists(TOLD, max_size=40), followed=st.sets(st.sampled_from(["a", "b"])))
def test_memory_is_counted_and_bounded_whatever_is_told(
    told: list[tuple[str, OutputRun, int, list[bytes], bool]], followed: set[str]
) -> None:
    most = 6 * OF_A_TASK
    kept = tails(most, followed=followed)
    for now, (task, run, first, chunks, ended) in enumerate(told):
        kept.take(task, run, first, chunks, ended=ended, now=now)
        every = [tail for name in "abcd" if (tail := kept.of(name)) is not None]
        assert kept.memory == sum(task.memory for task in kept._tasks.values())
        assert kept.memory >= sum(tail.memory + OF_A_TASK for tail in every)
        assert kept.memory <= most
        assert len(every) == len(kept)
    kept.forget(10**6)
    assert len(kept) <= len(followed)
