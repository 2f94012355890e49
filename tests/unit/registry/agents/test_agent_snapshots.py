"""Agents between memory and the ledger, where they are many."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.protocol.messages.events import AgentHeartbeat, Event
from coordinator.registry.agents.agent_snapshots import AgentSnapshots
from coordinator.registry.ledger.ledger import Ledger
from tests.unit.registry.answers import stored
from tests.unit.registry.fleet import Fleet, beat, declared, registered, removed, stopped

NewLedger = Callable[[], AbstractAsyncContextManager[Ledger]]

IDS = [f"agent {letter}{number}" for letter in "aBé" for number in range(4)]


def snapshots_of(ledger: Ledger, agents: Fleet) -> AgentSnapshots:
    """As if the fleet were larger than one transaction takes."""
    return AgentSnapshots(ledger=ledger, agents=agents, rows=5, at_once=2)


async def test_a_fleet_of_many_pages_is_written_and_restored_whole(ledger_url: str) -> None:
    async with Ledger(ledger_url) as ledger:
        before = Fleet()
        for agent_id in random.sample(IDS, len(IDS)):
            await stored(ledger, registered(agent_id))
            before.apply(registered(agent_id))
            before.apply(beat(agent_id, completed=3, load_metrics={"cpu": 0.5}))
        await snapshots_of(ledger, before).write()
        after = Fleet()
        await snapshots_of(ledger, after).restore()
    assert [one.agent_id for one in after.find()] == sorted(IDS)
    assert [after.view(one) for one in after.find()] == [before.view(one) for one in before.find()]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-1e999", "null"])
async def test_a_measure_that_is_no_number_does_not_keep_a_fleet_from_being_restored(
    ledger: Ledger, number: str
) -> None:
    body = f'{{"agent_id":"a","load_metrics":{{"cpu":{number},"memory":1}}}}'
    before, after = Fleet(), Fleet()
    await stored(ledger, registered("a"))
    before.apply(registered("a"))
    before.apply(Event(data=AgentHeartbeat.model_validate_json(body)))
    await snapshots_of(ledger, before).write()
    await snapshots_of(ledger, after).restore()
    assert after.view(after.the("a")).load_metrics == {"memory": 1}


async def test_restoring_again_takes_what_is_newer_and_leaves_the_rest(ledger: Ledger) -> None:
    fleet = Fleet()
    snapshot = snapshots_of(ledger, fleet)
    await stored(ledger, *map(registered, IDS))
    await snapshot.restore()
    first, second, third = fleet.the(IDS[0]), fleet.the(IDS[1]), fleet.the(IDS[2])
    untouched = first.agent
    await stored(
        ledger,
        declared("maintenance", IDS[1], seconds=1),
        registered(IDS[2], seconds=1, capabilities=["gpu"]),
        registered("new"),
    )
    await snapshot.restore()
    assert first.agent is untouched
    assert fleet.status_of(second.agent_id) == "maintenance"
    assert fleet.find(capabilities=["gpu"]) == [third]
    assert "new" in fleet


async def test_an_agent_that_is_removed_while_a_snapshot_is_made_is_left_out(
    ledger: Ledger,
) -> None:
    fleet = Fleet()
    for agent_id in IDS:
        await stored(ledger, registered(agent_id))
        fleet.apply(registered(agent_id))
        fleet.apply(beat(agent_id, load_metrics={"cpu": 0.5}))
    writing = asyncio.create_task(snapshots_of(ledger, fleet).write())
    await asyncio.sleep(0)
    for agent_id in IDS[:10]:
        fleet.apply(removed(agent_id))
    await writing
    after = Fleet()
    await snapshots_of(ledger, after).restore()
    told = {one.agent_id for one in after.find() if one.load_metrics == {"cpu": 0.5}}
    assert set(IDS[10:]) <= told
    assert not told & set(sorted(IDS[:10])[2:])


some_agent = st.sampled_from(IDS[:7])
what_is_said = st.one_of(
    st.builds(
        lambda agent_id, **more: lambda seconds: registered(agent_id, seconds, **more),
        some_agent,
        capabilities=st.lists(st.sampled_from(["gpu", "ocr"]), unique=True),
        slots=st.sampled_from([None, 1]),
        metadata=st.sampled_from([{}, {"weight": 2}]),
        instance=st.sampled_from(["first", "second"]),
    ),
    st.builds(
        lambda status, agent_id: lambda seconds: declared(status, agent_id, seconds),
        st.sampled_from(["busy", "active", "maintenance"]),
        some_agent,
    ),
    st.builds(lambda agent_id: lambda seconds: stopped(agent_id, seconds), some_agent),
    st.builds(lambda agent_id: lambda seconds: removed(agent_id, seconds), some_agent),
    st.builds(
        lambda agent_id, running: lambda _: beat(agent_id, running=running, slots=3),
        some_agent,
        st.integers(0, 2),
    ),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(what_is_said, max_size=30), st.integers(0, 30))
def test_what_is_restored_is_what_was_folded(
    new_ledger: NewLedger, said: list[Callable[[float], Event]], cut: int
) -> None:
    """By who starts, and by who had read the ledger before the second part was said."""
    events = [say(seconds) for seconds, say in enumerate(said)]

    async def test() -> None:
        told, reader, newcomer = Fleet(), Fleet(), Fleet()
        async with new_ledger() as ledger:
            for part in (events[:cut], events[cut:]):
                await snapshots_of(ledger, reader).restore()
                durable = [one for one in part if not isinstance(one.data, AgentHeartbeat)]
                await stored(ledger, *durable)
                for event in part:
                    told.apply(event)
            await snapshots_of(ledger, told).write()
            await snapshots_of(ledger, reader).restore()
            await snapshots_of(ledger, newcomer).restore()
        everyone = told.find()
        assert [newcomer.view(one) for one in newcomer.find()] == list(map(told.view, everyone))
        for one in everyone:
            read = reader.the(one.agent_id).agent
            assert (read.registration, read.declared) == (
                one.agent.registration,
                one.agent.declared,
            )

    asyncio.run(test())


async def test_a_restart_tells_of_the_agents_what_was_told_before(ledger: Ledger) -> None:
    before = Fleet()
    events = [
        registered("ada", capabilities=["gpu"], metadata={"weight": 1}, slots=2),
        registered("bob"),
        registered("cid"),
        declared("maintenance", "bob"),
        removed("cid"),
    ]
    await stored(ledger, *events)
    for event in events:
        before.apply(event)
    before.pass_time(30)
    before.apply(beat("ada", running=2, completed=8, failed=2, load_metrics={"cpu_usage": 0.9}))
    before.pass_time(20)
    await AgentSnapshots(ledger=ledger, agents=before).write()
    after = Fleet()
    after.clock.wall = before.clock.wall + timedelta(days=1)
    await AgentSnapshots(ledger=ledger, agents=after).restore()
    assert [after.view(one) for one in after.find()] == [before.view(one) for one in before.find()]
    after.pass_time(41)
    assert after.status_of("ada") == "stale"


async def test_a_snapshot_writes_only_what_changed(ledger: Ledger) -> None:
    fleet = Fleet()
    for agent_id in ("ada", "bob"):
        fleet.apply(registered(agent_id))
    assert len(fleet.changed()) == 2
    fleet.apply(beat("bob"))
    assert [known.agent_id for known in fleet.changed()] == ["bob"]
    assert fleet.changed() == []
    await AgentSnapshots(ledger=ledger, agents=fleet).write()
