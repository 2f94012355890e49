"""Everything that is published names its user, whom the broker has checked."""

from __future__ import annotations

import pytest

from coordinator.broker.connection import Connection
from coordinator.broker.publisher import Publisher
from coordinator.errors import Unavailable
from coordinator.protocol.message import Message
from coordinator.protocol.topology import QueueSpec, Topology
from tests.support.broker import Broker
from tests.support.broker_users import Account, broker_account

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
