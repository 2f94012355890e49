"""An agent that goes by the coordinator's clock where deadlines are meant."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.protocol.reference_clock import ReferenceClock
from tests.unit.domain.histories import at


class Machine:
    """An agent's clocks, of which the first is wrong."""

    def __init__(self, ahead: float) -> None:
        self.ahead = ahead
        self.true = 0.0
        self.slept = 0.0
        self.clock = ReferenceClock(
            wall=lambda: at(self.true + self.ahead), monotonic=lambda: self.true - self.slept
        )

    def ask(self, *, there: float = 0.01, back: float = 0.01) -> None:
        asked_at = self.clock.own()
        self.true += there
        theirs = at(self.true)
        self.true += back
        self.clock.compare(theirs, asked_at=asked_at)

    def was_set(self) -> bool:
        return self.clock.was_set

    @property
    def error(self) -> float:
        return (self.clock.now() - at(self.true)).total_seconds()


@given(st.floats(-1e6, 1e6), st.floats(0, 5), st.floats(0, 5))
def test_the_error_is_no_more_than_the_reply_took(ahead: float, there: float, back: float) -> None:
    machine = Machine(ahead)
    machine.ask(there=there, back=back)
    assert abs(machine.error) <= there + back + 1e-3


def test_a_clock_that_is_right_stays_as_it_is_however_long_a_reply_takes() -> None:
    machine = Machine(0)
    machine.ask(there=0.1, back=4)
    assert machine.error == 0


def test_until_a_coordinator_has_answered_it_is_the_agents_own() -> None:
    machine = Machine(20)
    assert machine.error == 20
    assert not machine.was_set()


@pytest.mark.parametrize("how", ["set right", "asleep"])
def test_a_clock_that_was_set_since_is_compared_again(how: str) -> None:
    machine = Machine(20)
    machine.ask()
    machine.true += 3600
    assert not machine.was_set()
    if how == "set right":
        machine.ahead = 0
    else:
        machine.true += 100
        machine.slept += 100
    assert machine.was_set()
    machine.ask()
    assert abs(machine.error) < 0.1
    assert not machine.was_set()


def test_a_coordinator_of_another_century_is_believed() -> None:
    machine = Machine(-(200 * 365 * 86400))
    machine.ask()
    assert abs(machine.error) < 0.1
    assert machine.clock.own() < at(0) - timedelta(days=365)
