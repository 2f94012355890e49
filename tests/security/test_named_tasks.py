"""A heartbeat that names tasks of others holds up nothing, where identity is required."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from coordinator.protocol.ids import new_id
from tests.support.broker import Broker
from tests.support.broker_users import Account, broker_account
from tests.support.serving import Service, serving
from tests.support.waiting import eventually

from .actors import Publishing, event, publishing

SOON: dict[str, Any] = {"attempt_lost_after": 1.0, "heartbeat_interval": 0.2}
FENCE = ("task_id", "generation", "attempt")


@asynccontextmanager
async def beating(
    service: Service, agent: Publishing, names: Callable[[], list[dict[str, Any]]]
) -> AsyncIterator[None]:
    """An agent by hand, under the user of its name, that beats; ``names`` tells what it has in hand."""
    await service.post("/agents/register", agent_id=agent.name, agent_type="worker")

    async def beat() -> None:
        while True:
            await agent.send(
                event("agent.heartbeat", agent.name, agent_id=agent.name, held=names())
            )
            await asyncio.sleep(0.1)

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def taken(broker: Broker, service: Service) -> dict[str, Any]:
    """A task that is gone from its queue: what its message said."""
    await service.submit()
    link = await service.coordinator.publisher._connection.opened()
    channel = await link.channel()
    delivery = await eventually(lambda: channel.get("tasks.any.normal"))
    await delivery.ack()
    found: dict[str, Any] = json.loads(delivery.message.body)
    return found


@pytest.mark.parametrize("proof", [None, "guessed"])
async def test_who_names_anothers_task_does_not_keep_it_from_being_tried_again(
    broker: Broker, tmp_path: Path, proof: str | None
) -> None:
    victim, attacker = (f"{name}-{new_id()[-12:]}" for name in ("ada", "mallory"))
    async with (
        broker_account(broker, Account(name=victim)) as ada_url,
        broker_account(broker, Account(name=attacker)) as mallory_url,
        serving(broker, tmp_path, require_identity=True, **SOON) as service,
        publishing(ada_url, victim) as ada,
        publishing(mallory_url, attacker) as mallory,
    ):
        task = await taken(broker, service)
        fence = {name: task[name] for name in FENCE}
        claim = fence if proof is None else fence | {"task_token": proof}
        in_hand = [fence]  # without a token, which it gives with the start
        async with (
            beating(service, ada, lambda: in_hand),
            beating(service, mallory, lambda: [claim]),
        ):
            begun = fence | {"agent_id": victim, "task_token": task["task_token"]}
            await ada.send(event("task.started", victim, **begun))
            await service.becomes(task["task_id"], "running")
            in_hand.clear()  # it has lost the task, and tells so

            async def lost() -> list[dict[str, Any]]:
                answer = await service.http.get(f"/tasks/{task['task_id']}/events")
                return [one for one in answer.json()["events"] if one["type"] == "task.lost"]

            [told] = await eventually(lost, timeout=60)
            assert told["details"]["started_by"] == victim
            if proof is not None:
                shown = (await service.http.get(f"/agents/{attacker}")).json()["agent"]
                [problem] = shown["metadata"]["problems"]
                assert "does not count as in its hands" in problem
