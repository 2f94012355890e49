"""An agent's ear without the agent: a control queue of its own on the broker, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiormq

from coordinator.protocol.ids import new_id
from coordinator.protocol.messages.agent_commands import agent_key
from coordinator.protocol.messages.registration import control_queue
from coordinator.protocol.topology import CONTROL

__all__ = ["control_queue_of"]


@asynccontextmanager
async def control_queue_of(agent_id: str, amqp_url: str) -> AsyncIterator[None]:
    """There is one while the context lasts; what arrives on it is thrown away."""
    connection = await aiormq.connect(amqp_url)
    try:
        channel = await connection.channel()
        queue = control_queue(agent_id, new_id())
        await channel.queue_declare(queue, exclusive=True)
        await channel.queue_bind(queue, CONTROL, routing_key=agent_key(agent_id))
        await channel.basic_consume(queue, _ignore, no_ack=True)
        yield
    finally:
        await connection.close()


async def _ignore(_: object) -> None:
    """As an agent that knows no command."""
