"""Agents whose clocks are wrong, as real processes on a real broker: nothing is ordered by them."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from coordinator.domain.clock_skew import SKEW_BOUND
from coordinator.protocol.messages.events import (
    AgentHeartbeat,
    AgentRegistered,
    AgentRemoved,
    AgentStatusChanged,
    AgentStopped,
    Event,
    EventData,
)
from coordinator.protocol.messages.registration import RegisterRequest
from coordinator.protocol.requirements import Requirements
from coordinator.registry.agents.registration_answers import RegistrationTerms
from tests.e2e.processes import Process, agent_process
from tests.support.broker import Broker
from tests.support.registering import SOURCE, RegisteringSide, registering_side
from tests.support.waiting import eventually

PATIENCE = 60
BRISK = RegistrationTerms(heartbeat_interval=timedelta(seconds=0.3))
"""Agents beat every second, or a little more: each test waits for several beats."""


@asynccontextmanager
async def hearing_side(
    broker: Broker, ledger_url: str, name: str = "north"
) -> AsyncIterator[RegisteringSide]:
    async with registering_side(broker.url, name=name, ledger_url=ledger_url, terms=BRISK) as side:
        side.book.add(SOURCE, Requirements())
        side.start()
        await eventually(lambda: side.hearing)
        yield side


@pytest.fixture
async def side(broker: Broker, ledger_url: str) -> AsyncIterator[RegisteringSide]:
    async with hearing_side(broker, ledger_url) as side:
        yield side


def is_(side: RegisteringSide, status: str, agent_id: str = "ada") -> bool:
    return agent_id in side.agents and side.registry.agent_now(agent_id).status == status


async def ended(process: Process) -> None:
    process.signal(signal.SIGTERM)
    assert await process.wait() == 0


async def said(side: RegisteringSide, *statements: tuple[float, EventData]) -> None:
    """Each by a clock that is ahead by so many seconds."""
    for ahead, data in statements:
        time = datetime.now(UTC) + timedelta(seconds=ahead)
        await side.repeat(Event(data=data, time=time))


async def done(side: RegisteringSide, task_id: str) -> bool:
    return (await side.registry.find(task_id)).state == "completed"


async def over(side: RegisteringSide, task_id: str) -> bool:
    return (await side.registry.find(task_id)).ended_at is not None


async def same_everywhere(broker: Broker, ledger_url: str, side: RegisteringSide) -> None:
    """A coordinator that starts now, from the ledger alone, tells of agents what ``side`` does."""
    await side.catching_up.ledger()
    await side.snapshots.settle()
    async with registering_side(broker.url, name="newcomer", ledger_url=ledger_url) as newcomer:
        await newcomer.snapshots.restore()
        told = {one.agent_id: one.agent for one in newcomer.agents.find()}
    assert told == {one.agent_id: one.agent for one in side.agents.find()}


@pytest.mark.parametrize(
    ("first", "second"), [(20, 0), (0, -20), (20, -20)], ids=["put right", "behind", "both"]
)
async def test_an_agent_that_is_started_again_is_active_and_does_tasks(
    side: RegisteringSide, broker: Broker, ledger_url: str, tmp_path: Path, first: int, second: int
) -> None:
    async with agent_process(broker.url, tmp_path / "1.out", "ada", clock_ahead=first) as ada:
        await eventually(partial(is_, side, "active"), timeout=PATIENCE)
        await ended(ada)
        await eventually(partial(is_, side, "inactive"), timeout=PATIENCE)
    async with agent_process(broker.url, tmp_path / "2.out", "ada", clock_ahead=second):
        await eventually(partial(is_, side, "active"), timeout=PATIENCE)
        await side.submit("t")
        await eventually(partial(done, side, "t"), timeout=PATIENCE)
        assert is_(side, "active")
        await same_everywhere(broker, ledger_url, side)


@pytest.mark.parametrize("ahead", [-20, 0, 20])
async def test_a_drained_agent_says_goodbye_in_whole_seconds_and_is_inactive(
    side: RegisteringSide, broker: Broker, ledger_url: str, tmp_path: Path, ahead: int
) -> None:
    async with agent_process(
        broker.url, tmp_path / "ada.out", "ada", clock_ahead=ahead, whole_seconds=True
    ) as ada:
        await eventually(partial(is_, side, "active"), timeout=PATIENCE)
        assert (await side.registrar.drain("ada"))[1] is True
        assert await ada.wait() == 0
        await eventually(partial(is_, side, "inactive"), timeout=PATIENCE)
        await same_everywhere(broker, ledger_url, side)


async def test_the_first_process_counts_when_a_second_one_under_its_id_leaves(
    side: RegisteringSide, broker: Broker, ledger_url: str, tmp_path: Path
) -> None:
    """It is asked to register again, so that the ledger and other coordinators have it, too."""
    async with agent_process(broker.url, tmp_path / "1.out", "ada"):
        await eventually(partial(is_, side, "active"), timeout=PATIENCE)
        first = side.agents.get("ada")
        assert first is not None
        instance = first.agent.registration.instance
        async with agent_process(broker.url, tmp_path / "2.out", "ada") as second:
            await eventually(
                lambda: first.agent.registration.instance != instance, timeout=PATIENCE
            )
            await ended(second)
        await eventually(lambda: first.agent.registration.instance == instance, timeout=PATIENCE)
        await eventually(partial(is_, side, "active"), timeout=PATIENCE)
        await same_everywhere(broker, ledger_url, side)


async def test_what_many_clocks_say_ends_alike_at_every_coordinator(
    side: RegisteringSide, broker: Broker, ledger_url: str
) -> None:
    drained = AgentStatusChanged(agent_id="bob", status="draining", instance="1")
    async with hearing_side(broker, ledger_url, "south") as south:
        await said(
            side,
            (20, AgentRegistered(agent_id="ada", agent_type="worker", instance="1")),
            (21, AgentStopped(agent_id="ada", instance="1")),
            (0, AgentRegistered(agent_id="ada", agent_type="worker", instance="2")),
            (0, AgentRegistered(agent_id="bob", agent_type="worker", instance="1")),
            (30, AgentRegistered(agent_id="bob", agent_type="worker", instance="2")),
            (-30, drained),
            (0, AgentRegistered(agent_id="cid", agent_type="worker")),
            (-1, AgentStopped(agent_id="cid")),
            (50, AgentRegistered(agent_id="dan", agent_type="worker")),
            (0, AgentRemoved(agent_id="dan")),
            (-50, AgentRegistered(agent_id="eve", agent_type="worker")),
        )
        for one in (side, south):
            await eventually(partial(one.agents.__contains__, "eve"), timeout=PATIENCE)
            assert {a.agent_id: one.agents.status(a).value for a in one.agents.find()} == {
                "ada": "active",
                "bob": "active",
                "cid": "inactive",
                "eve": "active",
            }
            await same_everywhere(broker, ledger_url, one)


@pytest.mark.parametrize("ahead", [-20, 20])
async def test_a_wrong_clock_is_told_and_what_the_agent_tells_is_kept_by_the_right_one(
    side: RegisteringSide, broker: Broker, tmp_path: Path, ahead: int
) -> None:
    before = datetime.now(UTC)
    async with agent_process(broker.url, tmp_path / "ada.out", "ada", clock_ahead=ahead):
        await eventually(partial(is_, side, "active"), timeout=PATIENCE)
        skew = await eventually(
            lambda: side.registry.agent_now("ada").clock_skew_seconds, timeout=PATIENCE
        )
        assert abs(skew - ahead) < SKEW_BOUND.total_seconds()
        assert side.registry.agent_now("ada").metadata["clock_skew_seconds"] == skew
        await side.submit("last")
        await eventually(partial(done, side, "last"), timeout=PATIENCE)
        found = await side.registry.find("last")
        assert found.started_at is not None
        assert found.ended_at is not None
        assert before < found.started_at <= found.ended_at <= datetime.now(UTC)
        assert found.submitted_at - found.started_at < SKEW_BOUND


@pytest.mark.parametrize("ahead", [-20, 20])
async def test_a_deadline_is_judged_by_the_coordinators_clock(
    side: RegisteringSide, broker: Broker, tmp_path: Path, ahead: int
) -> None:
    async with agent_process(broker.url, tmp_path / "ada.out", "ada", clock_ahead=ahead):
        await eventually(partial(is_, side, "active"), timeout=PATIENCE)
        now = datetime.now(UTC)
        await side.submit("late", max_attempts=1, expires_at=now - timedelta(seconds=5))
        await side.submit("in time", max_attempts=1, expires_at=now + timedelta(seconds=15))
        await eventually(partial(done, side, "in time"), timeout=PATIENCE)
        # The broker tells of it by the log, which may be after the other's end.
        await eventually(partial(over, side, "late"), timeout=PATIENCE)
        late = await side.registry.find("late")
        assert (late.state, late.started_at) == ("expired", None)


async def test_an_agent_of_another_make_that_rejects_too_early_costs_no_attempt(
    side: RegisteringSide, broker: Broker
) -> None:
    """It goes by its own clock, which is ahead."""
    await side.submit("t", max_attempts=1, expires_at=datetime.now(UTC) + timedelta(seconds=40))
    channel = await (await side.connection.opened()).channel()
    delivery = await eventually(partial(channel.get, SOURCE.queue), timeout=PATIENCE)
    await delivery.reject()

    async def waits() -> bool:
        found = await side.registry.find("t")
        return (found.state, found.max_attempts) == ("waiting", 2)

    await eventually(waits, timeout=PATIENCE)


async def test_an_agent_without_a_name_for_its_process_works_as_before(
    side: RegisteringSide, broker: Broker, ledger_url: str
) -> None:
    await side.registrar.register(RegisterRequest(agent_id="ada", agent_type="worker"))
    await said(side, (-20, AgentStopped(agent_id="ada")))
    await eventually(partial(is_, side, "inactive"), timeout=PATIENCE)
    await side.say(AgentHeartbeat(agent_id="ada"), persistent=False)
    await said(side, (-20, AgentRegistered(agent_id="ada", agent_type="worker")))
    await eventually(partial(is_, side, "active"), timeout=PATIENCE)
    await same_everywhere(broker, ledger_url, side)
