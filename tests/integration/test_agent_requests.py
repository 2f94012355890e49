"""Requests of agents by the events' exchange, on a real broker: answered to their author alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiormq
import aiormq.exceptions
import pytest
from pamqp.commands import Basic

from coordinator.protocol.ids import new_id
from coordinator.protocol.messages.registration import request_key
from coordinator.protocol.topology import EVENTS, REQUESTS
from coordinator.registry.agents.control_queue_opener import MOST_OF_ONE
from tests.support.broker import Broker
from tests.support.serving import Service, serving
from tests.support.waiting import eventually

PROFILE = {"agent_type": "worker", "capabilities": ["gpu"]}


class PlainAgent:
    """An AMQP client that declares nothing."""

    def __init__(self, connection: aiormq.abc.AbstractConnection) -> None:
        self._connection = connection
        self.told: list[tuple[str | None, dict[str, Any]]] = []

    async def ask(
        self,
        key: str,
        body: dict[str, Any],
        *,
        reply_to: str,
        exchange: str = EVENTS,
        kind: str = "register",
    ) -> None:
        channel = await self._connection.channel()
        properties = Basic.Properties(message_type=kind, correlation_id="1", reply_to=reply_to)
        await channel.basic_publish(
            json.dumps(body).encode(), exchange=exchange, routing_key=key, properties=properties
        )

    async def hears(self, queue: str) -> bool:
        """Whether it is there; its messages are told from then on."""
        channel = await self._connection.channel()
        try:
            await channel.basic_consume(queue, self._take, no_ack=True)
        except aiormq.exceptions.ChannelNotFoundEntity:
            return False
        return True

    async def _take(self, message: Any) -> None:
        self.told.append((message.header.properties.message_type, json.loads(message.body)))

    @property
    def replies(self) -> list[dict[str, Any]]:
        return [body for kind, body in self.told if kind == "register"]


@asynccontextmanager
async def plain_agent(broker: Broker) -> AsyncIterator[PlainAgent]:
    connection = await aiormq.connect(broker.url)
    try:
        yield PlainAgent(connection)
    finally:
        await connection.close()


@pytest.fixture
async def service(broker: Broker, tmp_path: Path) -> AsyncIterator[Service]:
    async with serving(broker, tmp_path) as service:
        yield service


def a_queue(agent_id: str) -> str:
    return f"agent.{agent_id}.control.{new_id()}"


async def known(service: Service) -> list[str]:
    answer = await service.http.get("/agents")
    return sorted(one["agent_id"] for one in answer.json()["agents"])


async def test_the_coordinator_opens_the_control_queue_that_a_request_names_and_answers_there(
    broker: Broker, service: Service
) -> None:
    queue = a_queue("ada")
    async with plain_agent(broker) as ada:
        await ada.ask(request_key("ada"), {"agent_id": "ada", **PROFILE}, reply_to=queue)
        await eventually(lambda: ada.hears(queue))
        await eventually(lambda: ada.replies)
        assert "error" not in ada.replies[0]
        assert await known(service) == ["ada"]
        await service.post("/tasks/submit", task_data={}, requirements={"capabilities": ["gpu"]})
        await eventually(lambda: [kind for kind, _ in ada.told if kind == "serve-source"])


async def test_a_request_in_the_name_of_another_agent_is_refused_to_its_author_and_changes_nothing(
    broker: Broker, service: Service
) -> None:
    own, others = a_queue("eve"), a_queue("ada")
    async with plain_agent(broker) as eve:
        stolen = {"agent_id": "ada", **PROFILE}
        await eve.ask(request_key("eve"), stolen, reply_to=others)
        await eve.ask(request_key("eve"), stolen, reply_to=own)
        await eventually(lambda: eve.hears(own))
        [reply] = await eventually(lambda: eve.replies)
        assert "another agent" in reply["error"]
        assert await known(service) == []
        assert others not in await broker.queues()


async def test_no_other_queue_than_a_control_queue_is_opened_for_a_request(
    broker: Broker, service: Service
) -> None:
    own = a_queue("eve")
    async with plain_agent(broker) as eve:
        for name in (
            "agent.eve.control.",
            "agent.eve.control.a.b",
            "agent.eve.other",
            "tasks.any.normal",
        ):
            await eve.ask(
                request_key("eve"), {"agent_id": "eve"}, reply_to=name, kind="control-queue"
            )
        await eve.ask(request_key("eve"), {"agent_id": "eve"}, reply_to=own, kind="control-queue")
        await eventually(lambda: eve.hears(own))
        named = {
            name
            for name in await broker.queues()
            if not name.startswith(("live.", "lock.", "output."))
        }
    assert named == {"coordinator.log", "coordinator.requests", "coordinator.unrouted", own}
    assert await known(service) == []


async def test_an_agent_that_asks_for_ever_new_control_queues_has_a_few(
    broker: Broker, service: Service
) -> None:
    names = [a_queue("eve") for _ in range(MOST_OF_ONE + 4)]
    async with plain_agent(broker) as eve:
        for name in names:
            await eve.ask(
                request_key("eve"), {"agent_id": "eve"}, reply_to=name, kind="control-queue"
            )
        await eventually(lambda: eve.hears(names[-1]))

        async def of_eve() -> set[str]:
            return {name for name in await broker.queues() if name.startswith("agent.eve.")}

        async def only_the_last() -> bool:
            return await of_eve() == set(names[-MOST_OF_ONE:])

        await eventually(only_the_last)


async def test_an_agent_of_before_declares_its_own_queue_and_registers_by_the_default_exchange(
    broker: Broker, service: Service
) -> None:
    queue = a_queue("ada")
    async with plain_agent(broker) as ada:
        channel = await ada._connection.channel()
        await channel.queue_declare(queue, exclusive=True)
        assert await ada.hears(queue)
        told = {"agent_id": "ada", **PROFILE}
        await ada.ask(REQUESTS, told, reply_to=queue, exchange="")
        [reply] = await eventually(lambda: ada.replies)
        assert "error" not in reply
        assert await known(service) == ["ada"]


async def test_a_request_is_answered_on_a_queue_that_the_agent_has_declared_itself(
    broker: Broker, service: Service
) -> None:
    queue = a_queue("ada")
    async with plain_agent(broker) as ada:
        channel = await ada._connection.channel()
        await channel.queue_declare(queue, exclusive=True)
        assert await ada.hears(queue)
        await ada.ask(request_key("ada"), {"agent_id": "ada", **PROFILE}, reply_to=queue)
        [reply] = await eventually(lambda: ada.replies)
        assert "error" not in reply


async def test_two_processes_under_one_id_are_noticed_though_a_coordinator_opened_their_queues(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = service.agent(), service.agent()
    for agent in (one, other):
        agent.default(lambda _: "done")
    async with one.running() as first, other.running() as second:
        await asyncio.gather(first.registered(), second.registered())
        await eventually(
            lambda: [line for line in caplog.messages if "two processes use the same" in line],
            timeout=60,
        )
