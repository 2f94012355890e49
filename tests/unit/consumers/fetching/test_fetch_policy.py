from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from consumers._fetching.fetch_policy import (
    FAN_OUT,
    LONGEST_PAUSE,
    MAX_CONSUMERS,
    MAX_QUEUES,
    MAX_WINDOW,
    SHARED_QUEUES,
    SHORTEST_PAUSE,
    TURN,
    ProbeResult,
    Verdict,
    Waiting,
    by_level,
    calls_to_make,
    focus_window,
    fresh_for,
    in_batches,
    is_brisk,
    is_pushed,
    look_spread,
    pause_at_rest,
    pause_in_fleet,
    prefetch_shares,
    queues_to_consume,
    stay_focused,
)
from coordinator.broker.channel import Depth
from coordinator.protocol.priority import Priority
from coordinator.protocol.task_queue import TaskQueue

sources = st.builds(
    TaskQueue, st.sampled_from(["any", "cap:a", "cap:b"]), st.sampled_from(Priority)
)
seconds = st.floats(min_value=0, max_value=1e6)
rngs = st.integers().map(random.Random)

LOW = TaskQueue("any", Priority.LOW)
HIGH = TaskQueue("any", Priority.HIGH)
OTHER_HIGH = TaskQueue("cap:a", Priority.HIGH)


@given(st.sets(sources), rngs)
def test_levels_hold_every_source_once_and_the_most_urgent_first(
    some: set[TaskQueue], rng: random.Random
) -> None:
    levels = by_level(some, rng)
    assert {source for level in levels for source in level} == some
    assert sum(len(level) for level in levels) == len(some)
    ranks = [{source.priority.rank for source in level} for level in levels]
    assert all(len(rank) == 1 for rank in ranks)
    assert [min(rank) for rank in ranks] == sorted(min(rank) for rank in ranks)


@given(st.lists(st.lists(sources, min_size=1, max_size=9), max_size=6), st.integers(1, 12))
def test_breaths_join_whole_levels_in_order(levels: list[list[TaskQueue]], most: int) -> None:
    joined = list(in_batches(levels, most))
    assert [source for some in joined for source in some] == [s for level in levels for s in level]
    assert all(len(some) <= max(most, *map(len, levels)) for some in joined)
    ends = {sum(len(level) for level in levels[: n + 1]) for n in range(len(levels))}
    assert {sum(len(some) for some in joined[: n + 1]) for n in range(len(joined))} <= ends


def test_equal_lanes_come_in_every_order() -> None:
    rng = random.Random(1)
    firsts = {by_level([HIGH, OTHER_HIGH], rng)[0][0] for _ in range(50)}
    assert firsts == {HIGH, OTHER_HIGH}


@given(st.floats(min_value=0, max_value=10), st.integers(1, 1000))
def test_a_window_covers_the_slots_and_holds_little_more(mean: float, free: int) -> None:
    window = focus_window(mean, free)
    assert free <= window <= max(free, MAX_WINDOW)
    if free <= MAX_WINDOW:
        assert (window - free - 1) * mean <= free * 0.02 + 1e-6


def test_brisk_means_faster_than_three_hundred_a_second_with_all_slots() -> None:
    assert is_brisk(0.003, slots=1)
    assert not is_brisk(0.004, slots=1)
    assert is_brisk(0.012, slots=4)
    assert not is_brisk(0.1, slots=16)


def test_what_waits_is_pushed_to_whom_sits_there_and_has_room_for_all_of_it() -> None:
    sight = ProbeResult(waiting=(Waiting(HIGH, 2), Waiting(LOW, 1)))
    assert is_pushed(sight, {HIGH: 2, LOW: 1}, free=3)
    assert is_pushed(ProbeResult(), {}, free=0)
    assert not is_pushed(sight, {HIGH: 2, LOW: 1}, free=2)
    assert not is_pushed(sight, {HIGH: 1, LOW: 2}, free=3)
    assert not is_pushed(sight, {LOW: 3}, free=3)
    assert not is_pushed(sight, {OTHER_HIGH: 2, LOW: 1}, free=3)


@given(
    st.lists(sources, unique=True, min_size=1),
    st.integers(-3, 1000),
    st.dictionaries(sources, st.integers(0, 1000)),
)
def test_seats_take_a_task_each_and_together_no_more_than_there_are_slots_beyond_that(
    doors: list[TaskQueue], free: int, lately: dict[TaskQueue, int]
) -> None:
    some = prefetch_shares(doors, free, lately)
    assert len(some) == len(doors)
    assert min(some) >= 1
    assert sum(some) <= max(free, len(doors))


def test_the_seat_where_tasks_come_has_the_widest_window() -> None:
    assert prefetch_shares([LOW, HIGH, OTHER_HIGH], 16, {}) == [5, 5, 5]
    assert prefetch_shares([LOW, HIGH, OTHER_HIGH], 16, {HIGH: 7}) == [1, 14, 1]
    assert prefetch_shares([LOW, HIGH], 10, {HIGH: 30, LOW: 10, OTHER_HIGH: 9}) == [3, 7]


@given(seconds, st.integers(0, 40), rngs)
def test_every_queue_is_glanced_at_within_the_stated_bound(
    quiet: float, glances: int, rng: random.Random
) -> None:
    pause = pause_at_rest(quiet, glances, rng)
    assert pause >= 0.01
    assert pause * max(glances, 1) <= max(LONGEST_PAUSE, glances * SHORTEST_PAUSE)


def test_naps_grow_with_the_quiet() -> None:
    rng = random.Random(1)
    assert pause_at_rest(0, 1, rng) <= 0.03
    assert pause_at_rest(1, 1, rng) <= 0.1
    assert pause_at_rest(60, 1, rng) >= 0.5


@given(st.floats(min_value=0, max_value=100))
def test_a_look_is_fresh_for_milliseconds(cost: float) -> None:
    assert 0.005 <= fresh_for(cost) <= 0.05


@given(
    st.dictionaries(
        st.builds(TaskQueue, st.integers(0, 60).map("cap:{}".format), st.sampled_from(Priority)),
        st.builds(Depth, st.just(0), st.integers(0, 8)),
        max_size=80,
    ),
    rngs,
)
def test_an_agent_sits_where_nobody_does_and_at_few_other_doors(
    depths: dict[TaskQueue, Depth], rng: random.Random
) -> None:
    chosen = queues_to_consume(depths, set(), rng)
    assert len(chosen) == len(set(chosen)) <= MAX_QUEUES
    assert all(depths[source].consumers < MAX_CONSUMERS for source in chosen)
    empty = {source for source, depth in depths.items() if depth.consumers == 0}
    assert len(empty) > MAX_QUEUES or empty <= set(chosen)
    assert len(chosen) <= max(SHARED_QUEUES, min(len(empty), MAX_QUEUES))


def test_an_agent_takes_no_second_seat_at_the_same_door() -> None:
    depths = {HIGH: Depth(0, 1), LOW: Depth(0, 0)}
    assert queues_to_consume(depths, {HIGH}, random.Random(1)) == [LOW]


def test_who_left_a_queue_with_a_task_that_runs_waits_there_for_none() -> None:
    depths = {HIGH: Depth(0, 30), LOW: Depth(0, 30), OTHER_HIGH: Depth(0, 2)}
    rng = random.Random(1)
    assert queues_to_consume(depths, set(), rng) == [OTHER_HIGH]
    assert queues_to_consume(depths, set(), rng, others=MAX_CONSUMERS) == [OTHER_HIGH]
    assert set(queues_to_consume(depths, set(), rng, others=1)) == set(depths)
    assert set(queues_to_consume(depths, set(), rng, others=0)) == set(depths)


@given(st.integers(1, 100_000), rngs)
def test_all_together_look_as_often_however_many_they_are(fleet: int, rng: random.Random) -> None:
    pause = pause_in_fleet(fleet, rng, shared=0.05, longest=1e9)
    assert 20 <= fleet / pause <= 40.001


@given(st.integers(1, 1_000_000), rngs)
def test_no_agent_naps_for_longer_than_it_is_told(fleet: int, rng: random.Random) -> None:
    assert pause_in_fleet(fleet, rng, shared=0.05, longest=60) <= 60
    assert look_spread(fleet) <= 60


@given(st.integers(-5, 1000), st.none() | st.integers(0, 1000), st.booleans())
def test_one_agent_is_woken_for_each_task_that_waits_and_none_beyond_what_is_allowed(
    more: int, allowed: int | None, leaves: bool
) -> None:
    shares = calls_to_make(more, allowed=allowed, leaves=leaves)
    wanted = max(0, more if allowed is None else min(more, allowed))
    assert len(shares) <= FAN_OUT
    if wanted:
        assert sum(1 + (share or 0) for share in shares) == wanted
        assert None not in shares
    else:
        assert shares == ([None if allowed is None else 0] if leaves else [])


def test_who_did_not_look_passes_on_what_it_was_called_for() -> None:
    assert calls_to_make(None, allowed=5, leaves=False) == [1, 2]
    assert calls_to_make(None, allowed=0, leaves=True) == [0]
    assert calls_to_make(None, allowed=None, leaves=True) == [None]
    assert calls_to_make(None, allowed=None, leaves=False) == []


@given(st.integers(1, 2000))
def test_as_many_are_woken_as_tasks_wait_in_few_turns(tasks: int) -> None:
    awake, turns, allowed = 1, 0, calls_to_make(tasks - 1, allowed=None, leaves=False)
    while allowed:
        awake, turns = awake + len(allowed), turns + 1
        allowed = [
            one
            for share in allowed
            for one in calls_to_make(tasks - 1, allowed=share, leaves=False)
        ]
    assert awake == tasks
    assert 2**turns <= tasks + 1


def focused(
    *waiting: TaskQueue, brisk: bool = True, idle: bool = False, since: float = 0.1
) -> Verdict:
    sight = ProbeResult(tuple(Waiting(source, 5) for source in waiting))
    return stay_focused(
        HIGH, sight, brisk=brisk, idle=idle, focused_for=since, dry_for=0.0 if idle else 0.1
    )


def test_focus_ends_when_something_better_waits() -> None:
    assert focused(HIGH, TaskQueue("any", Priority.URGENT)) is Verdict.BETTER_WAITS


def test_focus_does_not_end_for_something_worse_while_there_is_work() -> None:
    assert focused(HIGH, LOW) is Verdict.STAY


def test_focus_ends_after_its_turn_when_an_equal_lane_waits() -> None:
    assert focused(HIGH, OTHER_HIGH) is Verdict.STAY
    assert focused(HIGH, OTHER_HIGH, since=TURN) is Verdict.EQUAL_WAITS


def test_focus_ends_when_tasks_are_slow() -> None:
    assert focused(HIGH, brisk=False) is Verdict.TOO_SLOW


def test_focus_on_a_dry_queue_ends_at_once_when_anything_else_waits() -> None:
    assert focused(LOW, idle=True) is Verdict.DRY
    assert focused(idle=True) is Verdict.STAY
