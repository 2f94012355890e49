"""Agents between memory and the ledger, where they are many."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.protocol.messages.events import AgentHeartbeat, Event
from coordinator.registry.agents import agent_snapshots
from coordinator.registry.agents.agent_snapshots import AgentSnapshots
from coordinator.registry.ledger.ledger import Ledger
from tests.unit.registry.answers import stored
from tests.unit.registry.fleet import Fleet, beat, declared, registered, removed, stopped

NewLedger = Callable[[], AbstractAsyncContextManager[Ledger]]

IDS = [f"agent {letter}{number}" for letter in "aBé" for number in range(4)]


@pytest.fixture(autouse=True)
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the fleet were larger than one transaction takes."""
    monkeypatch.setattr(agent_snapshots, "ROWS", 5)
    monkeypatch.setattr(agent_snapshots, "AT_ONCE", 2)


async def test_a_fleet_of_many_pages_is_written_and_restored_whole(ledger_url: str) -> None:
    async with Ledger(ledger_url) as ledger:
        before = Fleet()
        for agent_id in random.sample(IDS, len(IDS)):
            await stored(ledger, registered(agent_id))
            before.apply(registered(agent_id))
            before.apply(beat(agent_id, completed=3, load_metrics={"cpu": 0.5}))
        await AgentSnapshots(ledger=ledger, agents=before).write()
        after = Fleet()
        await AgentSnapshots(ledger=ledger, agents=after).restore()
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
    await AgentSnapshots(ledger=ledger, agents=before).write()
    await AgentSnapshots(ledger=ledger, agents=after).restore()
    assert after.view(after.the("a")).load_metrics == {"memory": 1}


async def test_restoring_again_takes_what_is_newer_and_leaves_the_rest(ledger: Ledger) -> None:
    fleet = Fleet()
    snapshot = AgentSnapshots(ledger=ledger, agents=fleet)
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
    writing = asyncio.create_task(AgentSnapshots(ledger=ledger, agents=fleet).write())
    await asyncio.sleep(0)
    for agent_id in IDS[:10]:
        fleet.apply(removed(agent_id))
    await writing
    after = Fleet()
    await AgentSnapshots(ledger=ledger, agents=after).restore()
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
                await AgentSnapshots(ledger=ledger, agents=reader).restore()
                durable = [one for one in part if not isinstance(one.data, AgentHeartbeat)]
                await stored(ledger, *durable)
                for event in part:
                    told.apply(event)
            await AgentSnapshots(ledger=ledger, agents=told).write()
            await AgentSnapshots(ledger=ledger, agents=reader).restore()
            await AgentSnapshots(ledger=ledger, agents=newcomer).restore()
        everyone = told.find()
        assert [newcomer.view(one) for one in newcomer.find()] == list(map(told.view, everyone))
        for one in everyone:
            read = reader.the(one.agent_id).agent
            assert (read.registration, read.declared) == (
                one.agent.registration,
                one.agent.declared,
            )

    asyncio.run(test())
