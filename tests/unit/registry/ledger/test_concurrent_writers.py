"""Several coordinators that write to one ledger at the same time."""

from __future__ import annotations

import asyncio
import random
from functools import partial

import pytest

from coordinator.errors import LedgerUnavailable
from coordinator.protocol.messages.events import AgentRegistered, AgentStatusChanged, Event
from coordinator.registry.agents.agent_snapshots import AgentSnapshots
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.ledger.ledger_rebuild import rebuild
from coordinator.registry.upkeep.task_removal import forget
from tests.unit.domain.histories import at, completed, started, submitted
from tests.unit.registry.answers import answers, stored, totals_agree
from tests.unit.registry.fleet import Fleet, beat, registered

AGENTS = [f"agent-{number:03}" for number in range(150)]


def mixed() -> list[str]:
    return random.sample(AGENTS, len(AGENTS))


async def test_a_rebuild_beside_coordinators_that_write_changes_no_answer(ledger_url: str) -> None:
    """One folds, both take snapshots and forget, and two operators rebuild at once."""
    async with (
        Ledger(ledger_url) as first,
        Ledger(ledger_url) as second,
        Ledger(ledger_url) as third,
    ):
        joined = [
            Event(data=AgentRegistered(agent_id=one, agent_type="worker"), time=at(0))
            for one in AGENTS
        ]
        await stored(first, *joined)
        fleets = (Fleet(), Fleet())

        async def folds() -> None:
            for number in range(60):
                name = f"task-{number:03}"
                told = [
                    Event(data=AgentStatusChanged(agent_id=one, status="busy"), time=at(number))
                    for one in mixed()[:20]
                ]
                await stored(first, submitted(name), started(task_id=name), *told)
                await stored(first, completed(task_id=name), submitted(f"{name}-waits"))

        async def writes(ledger: Ledger, fleet: Fleet) -> None:
            for number in range(10):
                for agent_id in mixed():
                    fleet.apply(joined[AGENTS.index(agent_id)])
                    fleet.apply(beat(agent_id, sequence=number, instance="one"))
                await AgentSnapshots(ledger=ledger, agents=fleet).write()
                await ledger.write(partial(forget, task_ids=[f"task-{number:03}"]))

        async def rebuilds() -> None:
            for _ in range(5):
                await third.write(rebuild)

        await asyncio.gather(
            folds(),
            writes(first, fleets[0]),
            writes(second, fleets[1]),
            rebuilds(),
            second.write(rebuild),
        )
        live = await answers(first)
        assert {row["task_id"] for row in live["tasks"]} >= {
            f"task-{n:03}-waits" for n in range(60)
        }
        assert len(live["agents"]) == len(AGENTS)
        assert await totals_agree(first)
        await third.write(rebuild)
        assert await answers(first) == live


async def test_a_snapshot_that_could_not_be_written_is_made_up_for(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Ledger(sqlite_url) as ledger:
        fleet = Fleet()
        ada = registered("ada")
        fleet.apply(ada)
        await stored(ledger, ada)
        fleet.apply(beat("ada", load_metrics={"cpu_usage": 0.5}))
        snapshots = AgentSnapshots(ledger=ledger, agents=fleet)

        async def away(_: object) -> None:
            raise LedgerUnavailable

        with monkeypatch.context() as patched:
            patched.setattr(ledger, "write", away)
            with pytest.raises(LedgerUnavailable):
                await snapshots.write()
        await snapshots.write()
        (row,) = (await answers(ledger))["agents"]
        assert row["load_metrics"] == '{"cpu_usage":0.5}'


async def test_snapshots_and_the_projector_never_wait_for_each_other_in_a_ring(
    ledger_url: str,
) -> None:
    async with Ledger(ledger_url) as first, Ledger(ledger_url) as second:
        joined = [
            Event(data=AgentRegistered(agent_id=one, agent_type="worker"), time=at(0))
            for one in AGENTS
        ]
        await stored(first, *joined)
        for _ in range(8):
            fleets = (Fleet(), Fleet())
            for fleet in fleets:
                for agent_id in mixed():
                    fleet.apply(joined[AGENTS.index(agent_id)])
            told = [
                Event(data=AgentStatusChanged(agent_id=one, status="busy"), time=at(1))
                for one in mixed()
            ]
            await asyncio.gather(
                AgentSnapshots(ledger=first, agents=fleets[0]).write(),
                AgentSnapshots(ledger=second, agents=fleets[1]).write(),
                stored(second, *told),
            )
        assert {row["declared"] for row in (await answers(first))["agents"]} == {"busy"}
