"""Everything that is published names its user, whom the broker has checked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiormq
import pytest

from consumers import Discard, Task
from coordinator.agent_users.agent_grant import AgentGrant
from coordinator.broker.connection import Connection
from coordinator.broker.publisher import Publisher
from coordinator.errors import Unavailable
from coordinator.protocol.ids import new_id
from coordinator.protocol.message import Message
from coordinator.protocol.topology import CONTROL, EVENTS, TASKS, QueueSpec, Topology
from tests.support.agent_accounts import account_of
from tests.support.broker import Broker
from tests.support.broker_users import Account, broker_account
from tests.support.serving import serving
from tests.support.waiting import eventually

INBOX = "inbox"


async def published_as(connection: Connection, message: Message) -> str | None:
    """The `user_id` with which it arrives."""
    link = await connection.opened_or_refused()
    channel = await link.channel()
    await channel.declare(Topology(queues=(QueueSpec(name=INBOX, exclusive=True),)))
    async with Publisher(connection) as publisher:
        await publisher.ready()
        await publisher.publish(message, exchange="", key=INBOX, mandatory=True)
    delivery = await channel.get(INBOX)
    assert delivery is not None
    await delivery.ack()
    return delivery.message.user_id


async def test_a_message_names_the_user_who_publishes_it(broker: Broker) -> None:
    account = Account(name=f"ada@{broker.vhost}")
    async with (
        broker_account(broker, account) as url,
        Connection(url, name="test") as connection,
    ):
        assert await published_as(connection, Message(body=b"{}")) == account.name


async def test_the_broker_refuses_the_name_of_another(broker: Broker) -> None:
    async with Connection(broker.url, name="test") as connection:
        with pytest.raises(Unavailable, match="authenticated user was"):
            await published_as(connection, Message(body=b"{}", user_id="somebody-else"))


async def test_a_user_whom_the_broker_calls_otherwise_is_named_as_it_says(broker: Broker) -> None:
    async with Connection(broker.url, name="test") as connection:
        user = (await connection.opened_or_refused())._user
        user.name, true_name = "as-the-address-has-it", user.name
        with pytest.raises(Unavailable):
            await published_as(connection, Message(body=b"{}"))

        assert await published_as(connection, Message(body=b"{}")) == true_name


async def test_everything_that_the_service_and_an_agent_publish_names_its_user(
    broker: Broker, tmp_path: Path
) -> None:
    """Tasks, events, heartbeats, requests and commands: heard at each exchange that they go through."""
    ada = f"ada-{new_id()[-12:]}"
    grant = AgentGrant(agent_id=ada, capabilities=("gpu",))
    async with (
        account_of(broker, grant) as [url],
        serving(broker, tmp_path, heartbeat_interval=0.2) as service,
        heard_at(broker, (CONTROL, EVENTS, TASKS)) as heard,
    ):
        agent = service.agent(ada, capabilities=["gpu"])
        agent.configure(amqp_url=url)

        @agent.default
        async def work(task: Task) -> None:
            await task.progress(0.5)
            raise Discard("no")

        async with agent.running() as running:
            await running.registered()
            done = await service.post(
                "/tasks/submit", task_data={}, requirements={"capabilities": ["gpu"]}
            )
            await service.ends(done["task_id"])
            await eventually(
                lambda: {"agent.heartbeat", "serve-source"} <= {one[0] for one in heard}
            )
        await eventually(lambda: "agent.stopped" in {one[0] for one in heard})
    coordinator = urlsplit(broker.url).username
    of_agents = {kind for kind, user in heard if user == ada}
    of_coordinators = {kind for kind, user in heard if user == coordinator}
    assert {user for _, user in heard} == {ada, coordinator}
    assert of_agents & of_coordinators <= {"batch"}
    assert of_agents >= {"agent.heartbeat", "agent.stopped"}
    assert of_agents & {"register", "control-queue"}
    assert of_agents & {"task.started", "batch"}
    assert of_coordinators >= {"task", "serve-source"}


@asynccontextmanager
async def heard_at(
    broker: Broker, exchanges: Iterable[str]
) -> AsyncIterator[list[tuple[str | None, str | None]]]:
    """The type and the user of each message that they are given."""
    heard: list[tuple[str | None, str | None]] = []

    async def note(message: Any) -> None:
        properties = message.header.properties
        heard.append((properties.message_type, properties.user_id))

    connection = await aiormq.connect(broker.url)
    try:
        channel = await connection.channel()
        queue = (await channel.queue_declare(exclusive=True)).queue or ""
        for exchange in exchanges:
            await channel.queue_bind(queue, exchange, "#")
        await channel.basic_consume(queue, note, no_ack=True)
        yield heard
    finally:
        await connection.close()
