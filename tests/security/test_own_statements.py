"""What an agent's user may say of itself: it makes no coordinator of it, and is kept in bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from coordinator.agent_users.agent_grant import AgentGrant
from coordinator.bootstrap import running
from coordinator.errors import BrokerRefused
from coordinator.protocol.ids import new_id
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.stores.broker_users import COORDINATOR, entered_users
from coordinator.settings import Settings
from tests.support.agent_accounts import account_of
from tests.support.broker import Broker
from tests.support.serving import SECRET, serving
from tests.support.waiting import eventually

from .actors import event, publishing


async def test_a_service_that_is_started_with_an_agents_address_makes_no_coordinator_of_the_agent(
    broker: Broker, tmp_path: Path
) -> None:
    """A shell in which the line was run that `coordinator agents add` shows, say."""
    grant = AgentGrant(agent_id=f"eve-{new_id()[-12:]}")
    async with account_of(broker, grant) as [url]:
        wrong = Settings(amqp_url=url, data_dir=tmp_path, secret=SECRET, require_identity=True)
        with pytest.raises(BrokerRefused, match=r"coordinator\.ledger"):
            async with running(wrong):
                pass
        async with (
            serving(broker, tmp_path, require_identity=True),
            Ledger(tmp_path / "ledger.sqlite3") as ledger,
        ):
            entered = await ledger.read(entered_users)
        coordinators = {user for user, agent_id in entered if agent_id == COORDINATOR}
        assert len(coordinators) == 1
        assert grant.user not in coordinators


async def test_an_agent_asks_to_be_registered_and_says_by_itself_neither_that_nor_who_did_it(
    broker: Broker, tmp_path: Path
) -> None:
    grant = AgentGrant(agent_id=f"eve-{new_id()[-12:]}")
    async with (
        account_of(broker, grant) as [url],
        serving(broker, tmp_path, require_identity=True) as service,
        publishing(url, grant.user) as hands,
    ):
        agent = service.agent(grant.agent_id, capabilities=["gpu"])
        agent.configure(amqp_url=url)
        agent.default(lambda _: "done")
        async with agent.running() as running_agent:
            await running_agent.registered()
            about: dict[str, Any] = {"agent_id": grant.agent_id, "agent_type": "worker"}
            forged = event(
                "agent.registered",
                grant.user,
                **about,
                registered_by="key:ops",
                metadata={"notes": "x" * 20_000},
            )
            assert await hands.send(forged)

            async def parked() -> list[Any]:
                answer = await service.http.get("/parked")
                found: list[Any] = answer.json()["parked"]
                return found

            [one] = await eventually(parked)
            assert one["reason"].startswith("ForgedIdentity: agent.registered")
            told = (await service.http.get(f"/agents/{grant.agent_id}")).json()["agent"]
            assert told["capabilities"] == ["gpu"]
            assert "notes" not in told["metadata"]
