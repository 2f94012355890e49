"""Identity leaves those alone who are what they say: by their user's name, or by the ledger's table."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from consumers import Agent
from coordinator.protocol.ids import new_id
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.stores.broker_users import enter_user
from tests.support.broker import Broker
from tests.support.broker_users import Account, broker_account
from tests.support.serving import Service, serving

from .actors import event, publishing


@asynccontextmanager
async def agent_with_user(service: Service, agent_id: str, user: str) -> AsyncIterator[None]:
    async with broker_account(service.broker, Account(name=user)) as url:
        agent = Agent(agent_id, amqp_url=url, cache_dir=service.folder / user)
        agent.default(lambda _: "done")
        async with agent.running():
            yield


async def test_an_agents_user_is_called_as_its_id_is_written_on_the_broker(
    broker: Broker, tmp_path: Path
) -> None:
    name = new_id()[-12:]
    async with (
        serving(broker, tmp_path, require_identity=True) as service,
        agent_with_user(service, f"ada@{name}", f"ada__40{name}"),
    ):
        task = await service.ends(await service.submit())
        assert (task["state"], task["agent_id"]) == ("completed", f"ada@{name}")
        assert (await service.http.get("/parked")).json()["total"] == 0


async def test_a_user_with_another_name_is_entered_for_its_agent(
    broker: Broker, tmp_path: Path
) -> None:
    user, agent_id = f"team-{new_id()[-12:]}", "carol"
    async with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        await ledger.write(partial(enter_user, user=user, agent_id=agent_id))
    async with (
        serving(broker, tmp_path, require_identity=True) as service,
        agent_with_user(service, agent_id, user),
    ):
        task = await service.ends(await service.submit())
        assert (task["state"], task["agent_id"]) == ("completed", agent_id)


async def test_a_task_that_its_queue_gives_up_is_dead_by_the_brokers_own_word(
    broker: Broker, tmp_path: Path
) -> None:
    async with serving(broker, tmp_path, require_identity=True) as service:
        task_id = await service.submit(max_attempts=1)
        link = await service.coordinator.publisher._connection.opened()
        delivery = await (await link.channel()).get("tasks.any.normal")
        assert delivery is not None
        await delivery.reject()
        assert (await service.ends(task_id))["state"] == "dead"


@pytest.mark.parametrize("required", [False, True])
async def test_an_agent_of_before_is_believed_where_identity_is_not_required(
    broker: Broker, tmp_path: Path, required: bool
) -> None:
    """It names no user, and its start has no token."""
    user = f"old-{new_id()[-12:]}"
    async with (
        broker_account(broker, Account(name=user)) as url,
        serving(broker, tmp_path, require_identity=required) as service,
        publishing(url, user) as agent,
    ):
        task_id = await service.submit()
        begun = event("task.started", user, task_id=task_id, agent_id=user)
        for letter in (replace(begun, user_id=""), begun):
            await agent.send(letter)
        await service.coordinator.registry.settle()

        assert (await service.task(task_id))["state"] == ("queued" if required else "running")
        parked = (await service.http.get("/parked")).json()["total"]
        assert parked == (2 if required else 0)
