"""Two coordinators and the ledger: whatever order things come in, all end up with the log's order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.domain.agent import Agent, fold_agent
from coordinator.errors import LedgerBehind
from coordinator.protocol.messages.events import Event
from coordinator.registry.agents.agent_snapshots import AgentSnapshots
from coordinator.registry.agents.in_memory.unfolded_statements import MOST_OF_ONE
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables.event_rows import identity
from tests.support.waiting import eventually
from tests.unit.registry.answers import stored
from tests.unit.registry.fleet import Fleet, beat, declared, registered, removed, stopped

NewLedger = Callable[[], AbstractAsyncContextManager[Ledger]]

AGENTS = ["ada", "bob"]
clocks = st.integers(-40, 40)
"""Whole seconds, by anybody's clock: before or after anything else."""
processes = st.sampled_from([None, "a", "b"])
some_agent = st.sampled_from(AGENTS)
said = st.one_of(
    st.builds(
        registered,
        some_agent,
        clocks,
        instance=processes,
        capabilities=st.sampled_from([["gpu"], ["ocr"], []]),
    ),
    st.builds(
        declared,
        st.sampled_from(["busy", "draining", "active", "maintenance", "inactive"]),
        some_agent,
        clocks,
        instance=processes,
    ),
    st.builds(stopped, some_agent, clocks, instance=processes),
    st.builds(removed, some_agent, clocks, instance=processes),
)


class Log:
    """The ledger without SQL: what the first so many events of the log make of each agent."""

    def __init__(self, events: list[Event]) -> None:
        self.events = events

    def agent(self, agent_id: str, upto: int) -> Agent | None:
        agent: Agent | None = None
        for event in self.events[:upto]:
            if event.data.subject == agent_id:
                agent = fold_agent(agent, event)
        return agent

    def read_by(self, fleet: Fleet, upto: int) -> None:
        """As `AgentSnapshots` does."""
        there = {identity(event) for event in self.events[:upto]}
        for agent_id in AGENTS:
            heard = fleet.statements.waiting_of([agent_id])
            done = [identity(event) for event in heard if identity(event) in there]
            agent = self.agent(agent_id, upto)
            if agent is None:
                fleet.settle(agent_id, None, done)
                continue
            fleet.restore(
                agent,
                heartbeat=None,
                load_metrics=None,
                heard_at=fleet.clock.wall,
                silence=timedelta(),
                done=done,
            )
        fleet.restored()


def known_to(fleet: Fleet) -> dict[str, tuple[Any, ...]]:
    return {one.agent_id: _said_of(one.agent) for one in fleet.find()}


def _said_of(agent: Agent) -> tuple[Any, ...]:
    return agent.registration, agent.declared, agent.registered_at, agent.statement


@st.composite
def arrivals(draw: st.DrawFn, events: list[Event]) -> list[Event | int]:
    """Each event by up to three ways, in any order, and reads of the ledger between, whose numbers
    only go up.
    """
    ways = [draw(st.permutations(events)) for _ in range(draw(st.integers(1, 3)))]
    steps: list[Event | int] = []
    upto = 0
    while any(ways):
        choices = [way for way in ways if way]
        if upto < len(events) and draw(st.integers(0, 3)) == 0:
            upto = draw(st.integers(upto, len(events)))
            steps.append(upto)
            continue
        steps.append(draw(st.sampled_from(choices)).pop(0))
    return steps


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_way_that_events_come_ends_in_the_ledgers_view(data: st.DataObject) -> None:
    log = Log(data.draw(st.lists(said, max_size=7)))
    for _ in range(2):
        fleet = Fleet()
        for step in data.draw(arrivals(log.events)):
            if isinstance(step, int):
                log.read_by(fleet, step)
            else:
                fleet.apply(step)
        log.read_by(fleet, len(log.events))
        expected = {
            agent_id: _said_of(agent)
            for agent_id in AGENTS
            if (agent := log.agent(agent_id, len(log.events))) is not None
        }
        assert known_to(fleet) == expected
        assert not fleet.statements.waiting()
        for event in log.events:  # copies that come late are no news
            fleet.apply(event)
        assert known_to(fleet) == expected


@settings(max_examples=25, deadline=None)
@given(st.lists(said, max_size=8), st.data())
def test_two_coordinators_on_one_ledger_and_one_that_starts_agree(
    new_ledger: NewLedger, log: list[Event], data: st.DataObject
) -> None:
    """One heard the log's order late, one heard another order, and one came when all was said."""
    other_order = data.draw(st.permutations(log))
    cut = data.draw(st.integers(0, len(log)))

    async def test() -> None:
        projecting, other, newcomer = Fleet(), Fleet(), Fleet()
        async with new_ledger() as ledger:
            for event in other_order[:cut]:
                other.apply(event)
            await AgentSnapshots(ledger=ledger, agents=other).settle()
            for event in log:
                await stored(ledger, event)
                projecting.apply(event)
                await AgentSnapshots(ledger=ledger, agents=projecting).settle()
            await AgentSnapshots(ledger=ledger, agents=other).settle()
            for event in other_order:
                other.apply(event)
            await AgentSnapshots(ledger=ledger, agents=other).settle()
            await AgentSnapshots(ledger=ledger, agents=newcomer).restore()
        assert known_to(projecting) == known_to(newcomer)
        assert known_to(other) == known_to(newcomer)

    asyncio.run(test())


async def test_what_was_missed_is_found_when_the_ledger_is_compared(ledger: Ledger) -> None:
    fleet = Fleet()
    snapshot = AgentSnapshots(ledger=ledger, agents=fleet)
    await stored(ledger, registered("ada"), registered("bob"))
    await snapshot.restore()
    await stored(ledger, removed("ada"), declared("busy", "bob"), registered("cid"))
    await snapshot.restore()
    assert {one.agent_id: fleet.status_of(one.agent_id) for one in fleet.find()} == {
        "bob": "busy",
        "cid": "active",
    }


async def test_two_statements_of_the_same_instant_are_told_apart(ledger: Ledger) -> None:
    """Many clocks tell whole seconds."""
    fleet = Fleet()
    snapshot = AgentSnapshots(ledger=ledger, agents=fleet)
    await stored(ledger, registered(), declared("draining", seconds=5))
    await snapshot.restore()
    await stored(ledger, stopped(seconds=5))
    await snapshot.restore()
    assert fleet.status_of("ada") == "inactive"


async def test_a_clock_that_was_wrong_is_known_after_a_restart(ledger: Ledger) -> None:
    before, after = Fleet(), Fleet()
    await stored(ledger, registered(instance="a"))
    before.apply(registered(instance="a"))
    for sequence in (1, 2, 3):
        before.apply(beat(instance="a", sequence=sequence, seconds=20))
    await AgentSnapshots(ledger=ledger, agents=before).write()
    await AgentSnapshots(ledger=ledger, agents=after).restore()
    after.apply(beat(instance="a", sequence=4, seconds=20))
    assert after.skew_of("ada") == timedelta(seconds=20)
    after.apply(beat(instance="b", sequence=1, seconds=20))
    assert after.skew_of("ada") is None


async def test_what_was_heard_and_never_reached_the_log_is_given_up(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind = True

    async def catch_up() -> None:
        if behind:
            raise LedgerBehind("not yet")

    fleet = Fleet()
    snapshot = AgentSnapshots(ledger=ledger, agents=fleet, catch_up=catch_up)
    await stored(ledger, registered())
    await snapshot.restore()
    fleet.apply(declared("error"))
    await snapshot.settle()
    assert fleet.status_of("ada") == "error"
    fleet.pass_time(31)
    await snapshot.settle()
    assert fleet.status_of("ada") == "error"  # it may be in the log still
    behind = False
    await snapshot.settle()
    assert fleet.status_of("ada") == "active"
    assert not fleet.statements.waiting()


async def test_the_running_coordinator_comes_to_the_ledgers_view_by_itself(ledger: Ledger) -> None:
    fleet = Fleet()
    first, second = registered(capabilities=["gpu"]), registered(capabilities=["ocr"])
    await stored(ledger, second, first)
    fleet.apply(first)
    fleet.apply(second)
    assert not fleet.find(capabilities=["gpu"])
    snapshots = AgentSnapshots(ledger=ledger, agents=fleet, settle_every=timedelta(milliseconds=10))
    running = asyncio.create_task(snapshots.run())
    await eventually(lambda: fleet.find(capabilities=["gpu"]))
    running.cancel()
    assert [one.agent_id for one in fleet.find(capabilities=["gpu"])] == ["ada"]


def test_much_that_one_agent_says_takes_no_room() -> None:
    fleet = Fleet()
    fleet.apply(registered())
    for number in range(3 * MOST_OF_ONE):
        fleet.apply(declared("busy" if number % 2 else "error"))
    assert len(fleet.statements.waiting()) == MOST_OF_ONE
    fleet.settle("bob", None, [])
    assert fleet.status_of("ada") == "busy"
    assert fleet.statements.agent("ada") == fleet.the("ada").agent


def test_the_same_id_of_another_agent_is_another_statement() -> None:
    fleet = Fleet()
    mine = registered("ada")
    fleet.apply(mine)
    fleet.apply(Event(id=mine.id, data=registered("bob").data))
    fleet.apply(beat("bob"))
    assert [one.agent_id for one in fleet.find()] == ["ada", "bob"]
