from __future__ import annotations

from consumers._fetching.fleet import Fleet


def test_an_agent_that_was_told_nothing_is_alone() -> None:
    assert (Fleet().size, Fleet().wake_queue) == (1, None)


def test_all_kinds_count_as_if_they_were_of_one_size() -> None:
    fleet = Fleet()
    fleet.told("wake.worker", 3)
    fleet.counted(100)
    assert (fleet.resting, fleet.size) == (100, 300)
    fleet.counted(0)  # its own consumer is not known there yet
    assert fleet.resting == 1


def test_a_fleet_whose_wake_queue_is_missing_asks_for_it_once_and_is_as_large_as_before() -> None:
    fleet = Fleet()
    asked: list[str | None] = []
    fleet.on_missing = lambda: asked.append(fleet.wake_queue)
    fleet.told("wake.worker", 2)
    fleet.counted(50)
    fleet.missing()
    assert asked == [None]
    assert (fleet.wake_queue, fleet.size) == (None, 100)


def test_a_wake_queue_that_may_not_be_read_is_not_asked_for() -> None:
    fleet = Fleet()
    asked: list[str | None] = []
    fleet.on_missing = lambda: asked.append(None)
    fleet.told("wake.worker", 1)
    fleet.refused()
    assert (fleet.wake_queue, asked) == (None, [])
