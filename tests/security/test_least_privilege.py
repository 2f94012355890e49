"""A user that `coordinator agents add` has made: what it may not do, by every way that AMQP has."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiormq
import aiormq.exceptions
import pytest
from aiormq.abc import AbstractChannel
from pamqp.commands import Basic

from coordinator.agent_users.agent_grant import MAX_CONNECTIONS, AgentGrant
from coordinator.protocol.ids import new_id
from coordinator.protocol.messages.agent_commands import agent_key
from coordinator.protocol.messages.registration import CONTROL_QUEUE, control_queue, request_key
from coordinator.protocol.name_encoding import DEAD_LETTER_KEY
from coordinator.protocol.topology import (
    CONTROL,
    EVENTS,
    LEDGER,
    LOG,
    REQUESTS,
    TASKS,
    UNROUTED,
    WORK,
)
from tests.support.agent_accounts import account_of
from tests.support.broker import Broker
from tests.support.serving import serving
from tests.support.waiting import eventually

Attempt = Callable[[AbstractChannel], Awaitable[Any]]


def _publishes(exchange: str, key: str) -> Attempt:
    async def attempt(channel: AbstractChannel) -> None:
        await channel.basic_publish(b"{}", exchange=exchange, routing_key=key)

    return attempt


def _calls(method: str, *arguments: Any, **options: Any) -> Attempt:
    async def attempt(channel: AbstractChannel) -> None:
        await getattr(channel, method)(*arguments, **options)

    return attempt


def attempts(own: str, others: str, control: str) -> Iterator[tuple[str, Attempt]]:
    """``control`` is the control queue of the agent ``others``; ``own`` one of the sender's."""
    for key in (REQUESTS, LOG, UNROUTED, control, "tasks.any.normal", "tasks.cap:gpu.normal"):
        yield f"publishes straight to {key}", _publishes("", key)
    for exchange, key in (
        (TASKS, "any.normal"),
        (WORK, "any.normal"),
        (CONTROL, agent_key(others)),
        (CONTROL, "all"),
        (LEDGER, "x"),
    ):
        yield f"publishes to {exchange} with {key}", _publishes(exchange, key)
    for key in (
        request_key(others),
        f"agent.{others}.heartbeat",
        f"task.{others}.completed",
        DEAD_LETTER_KEY,
        "ledger.~coordinator.marked",
        "source.any.opened",
    ):
        yield f"publishes an event with {key}", _publishes(EVENTS, key)
    yield "declares a queue", _calls("queue_declare", "mine")
    yield "declares its control queue", _calls("queue_declare", own)
    yield "declares a queue without a name", _calls("queue_declare", "")
    yield "declares an exchange", _calls("exchange_declare", "mine")
    for exchange in (CONTROL, EVENTS, TASKS):
        yield f"has {exchange} come to its control queue", _calls("queue_bind", own, exchange, "#")
        yield f"deletes {exchange}", _calls("exchange_delete", exchange)
    yield (
        "takes the binding of another's control queue away",
        _calls("queue_unbind", control, CONTROL, agent_key(others)),
    )
    for queue in (LOG, REQUESTS, UNROUTED, control, "tasks.cap:gpu.normal"):
        yield f"takes from {queue}", _calls("basic_get", queue)
        yield f"consumes {queue}", _calls("basic_consume", queue, print, no_ack=True)
        yield f"empties {queue}", _calls("queue_purge", queue)
    for queue in (LOG, control, "tasks.any.normal", "tasks.cap:gpu.normal", own):
        yield f"deletes {queue}", _calls("queue_delete", queue)


async def refused(connection: aiormq.abc.AbstractConnection, attempt: Attempt) -> bool:
    channel = await connection.channel(publisher_confirms=True)
    try:
        await attempt(channel)
    except aiormq.exceptions.ChannelAccessRefused:
        return True
    await channel.close()
    return False


async def test_nothing_of_another_agents_or_the_coordinators_is_within_its_reach(
    broker: Broker, tmp_path: Path
) -> None:
    ada, eve = (AgentGrant(agent_id=f"{name}-{new_id()[-12:]}") for name in ("ada", "eve"))
    async with (
        account_of(broker, ada, eve) as [ada_url, eve_url],
        serving(broker, tmp_path, require_identity=True) as service,
    ):
        agent = service.agent(ada.agent_id)
        agent.configure(amqp_url=ada_url)
        agent.default(lambda _: "done")
        async with agent.running() as running:
            await running.registered()
            for wanted in ({}, {"capabilities": ["gpu"]}):
                await service.post("/tasks/submit", task_data={}, requirements=wanted)
            queues = set(await broker.queues())
            [control] = [name for name in queues if name.startswith(f"agent.{ada.user}.control.")]
            connection = await aiormq.connect(eve_url)
            own = control_queue(eve.agent_id, new_id())
            channel = await connection.channel()
            asked = Basic.Properties(message_type=CONTROL_QUEUE, reply_to=own, user_id=eve.user)
            body = f'{{"agent_id": "{eve.agent_id}"}}'.encode()
            await channel.basic_publish(
                body, exchange=EVENTS, routing_key=request_key(eve.agent_id), properties=asked
            )

            async def opened() -> bool:
                return own in await broker.queues()

            await eventually(opened)
            before = (await service.http.get(f"/agents/{ada.agent_id}")).json()["agent"]
            within = [
                what
                for what, attempt in attempts(own, ada.agent_id, control)
                if not await refused(connection, attempt)
            ]
            assert within == []
            assert set(await broker.queues()) == queues | {own}
            after = (await service.http.get(f"/agents/{ada.agent_id}")).json()["agent"]
            assert after["registration_time"] == before["registration_time"]
            await connection.close()


async def test_it_has_no_more_channels_than_it_needs(broker: Broker) -> None:
    grant = AgentGrant(agent_id=f"eve-{new_id()[-12:]}")
    assert grant.limits["max-channels"] == 32
    async with account_of(broker, grant) as [url]:
        connection = await aiormq.connect(url)
        for _ in range(32):
            await connection.channel()
        with pytest.raises((aiormq.exceptions.AMQPError, ConnectionError)):
            await connection.channel()
        await connection.close()


async def test_a_control_queue_that_nobody_reads_holds_so_much_and_no_more(
    broker: Broker, tmp_path: Path
) -> None:
    """By the policy, whoever declared it: commands that nobody takes do not fill the broker."""
    grant = AgentGrant(agent_id=f"eve-{new_id()[-12:]}")
    async with account_of(broker, grant) as [_], serving(broker, tmp_path):
        queue = control_queue(grant.agent_id, new_id())
        connection = await aiormq.connect(broker.url)
        channel = await connection.channel(publisher_confirms=True)
        await channel.queue_declare(queue, durable=True)
        for _ in range(11):
            await asyncio.gather(
                *(channel.basic_publish(b"{}", routing_key=queue) for _ in range(100))
            )
        held = await channel.queue_declare(queue, passive=True)
        await connection.close()
    assert held.message_count == 1000


@pytest.mark.any_broker
async def test_it_has_no_more_connections_than_it_needs(broker: Broker) -> None:
    grant = AgentGrant(agent_id=f"eve-{new_id()[-12:]}")
    async with account_of(broker, grant) as [url]:
        connections = [await aiormq.connect(url) for _ in range(MAX_CONNECTIONS)]
        with pytest.raises((aiormq.exceptions.AMQPError, ConnectionError)):
            connections.append(await aiormq.connect(url))
        await asyncio.gather(*(one.close() for one in connections))
