"""Requests of agents where identity is required: nobody has anything opened or answered in another's name."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiormq
import pytest

from coordinator.protocol.ids import new_id
from coordinator.protocol.messages.registration import (
    CONTROL_QUEUE,
    REGISTER,
    control_queue,
    request_key,
)
from coordinator.protocol.topology import REQUESTS
from coordinator.registry.agents.control_queue_opener import MOST_OF_ONE
from tests.support.broker import Broker
from tests.support.broker_users import Account, broker_account
from tests.support.serving import Service, serving
from tests.support.waiting import eventually

from .actors import Letter, Publishing, publishing
from .stages import staged

pytestmark = pytest.mark.timeout(240)


async def queues_of(broker: Broker, agent_id: str) -> set[str]:
    return {name for name in await broker.queues() if name.startswith(f"agent.{agent_id}.control.")}


async def problems(service: Service, words: str) -> list[str]:
    told = (await service.http.get("/health")).json().get("problems", [])
    return [one for one in told if words in one]


async def test_nobody_has_control_queues_opened_in_anothers_name_so_that_its_own_end(
    broker: Broker, tmp_path: Path
) -> None:
    async with staged(broker, tmp_path) as stage:
        victim, attacker = stage.scene.victim, stage.scene.attacker
        before, own = await queues_of(broker, victim), control_queue(attacker, new_id())
        for number in range(MOST_OF_ONE + 1):
            for kind in (CONTROL_QUEUE, REGISTER):
                await stage.attacker.send(
                    Letter(
                        key=request_key(victim),
                        type=kind,
                        body={"agent_id": victim, "agent_type": "worker"},
                        reply_to=control_queue(victim, f"forged-{kind}-{number}"),
                    )
                )
        honest = Letter(
            key=request_key(attacker),
            type=CONTROL_QUEUE,
            body={"agent_id": attacker},
            reply_to=own,
        )
        await stage.attacker.send(honest)

        async def answered() -> bool:  # and so are those before it
            return own in await broker.queues()

        await eventually(answered)
        assert await queues_of(broker, victim) == before
        [told] = await problems(stage.service, "requests of agents were refused")
        assert f"the user {attacker!r} asked {2 * MOST_OF_ONE + 2} times" in told


@asynccontextmanager
async def hearing(url: str, queue: str) -> AsyncIterator[list[dict[str, Any]]]:
    """What comes to a control queue that an agent of before has declared itself."""
    heard: list[dict[str, Any]] = []

    async def take(message: Any) -> None:
        heard.append(json.loads(message.body))

    connection = await aiormq.connect(url)
    try:
        channel = await connection.channel()
        await channel.queue_declare(queue, exclusive=True)
        await channel.basic_consume(queue, take, no_ack=True)
        yield heard
    finally:
        await connection.close()


async def test_by_the_default_exchange_its_own_user_is_registered_and_others_are_told_why_not(
    broker: Broker, tmp_path: Path
) -> None:
    user, another = (f"{name}-{new_id()[-12:]}" for name in ("old", "carol"))
    async with (
        broker_account(broker, Account(name=user)) as url,
        serving(broker, tmp_path, require_identity=True) as service,
        publishing(url, user) as agent,
    ):

        async def asks(agent_id: str, user_id: str | None) -> dict[str, Any]:
            queue = control_queue(agent_id, new_id())
            async with hearing(url, queue) as heard:
                await _register(agent, agent_id, queue, user_id)
                [reply] = await eventually(lambda: heard)
            return reply

        refused = await asks(another, None)
        assert f"the broker's user {user!r} is not this agent's" in refused["error"]
        nameless = await asks(user, "")
        assert "user_id" in nameless["error"]
        assert (await service.http.get("/agents")).json()["agents"] == []
        [told] = await problems(service, "refused within the last hour")
        assert f"`coordinator agents add {another} --user {user}` enters it" in told

        assert "error" not in await asks(user, None)
        agents = (await service.http.get("/agents")).json()["agents"]
        assert [one["agent_id"] for one in agents] == [user]


async def _register(agent: Publishing, agent_id: str, queue: str, user_id: str | None) -> None:
    await agent.send(
        Letter(
            key=REQUESTS,
            exchange="",
            type=REGISTER,
            body={"agent_id": agent_id, "agent_type": "worker"},
            user_id=user_id,
            reply_to=queue,
        )
    )
