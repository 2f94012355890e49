"""Silence counts only while this process hears agents."""

from __future__ import annotations

from coordinator.domain.hearing_clock import LONGEST_STEP, HearingClock


def test_the_clock_runs_only_while_agents_are_heard() -> None:
    clock = HearingClock()
    assert clock.at(1000.0) == 0.0
    clock.start(1000.0)
    assert clock.at(1002.0) == 2.0
    clock.stop(1003.0)
    assert clock.at(5000.0) == 3.0
    clock.start(6000.0)
    assert clock.at(6001.0) == 4.0


def test_the_clock_does_not_count_that_the_process_stood_still() -> None:
    clock = HearingClock()
    clock.start(0.0)
    assert clock.at(3600.0) == LONGEST_STEP
    assert clock.at(3601.0) == LONGEST_STEP + 1.0


def test_the_clock_never_goes_back() -> None:
    clock = HearingClock()
    clock.start(10.0)
    assert clock.at(12.0) == 2.0
    assert clock.at(11.0) == 2.0
