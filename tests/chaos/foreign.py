"""An agent that speaks AMQP without the SDK, and does what no agent should.

It acknowledges a task before it has told the outcome, and then loses that; and it gives back a task whose
type it does not know, until that comes again. Both only where the task says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Any, Self

import httpx

from coordinator.broker.asyncio_cancel import cancel_and_wait
from coordinator.broker.channel import Delivery
from coordinator.broker.connection import Connection, Link
from coordinator.broker.publisher import Publisher
from coordinator.errors import Unavailable
from coordinator.protocol.lanes import lane_name
from coordinator.protocol.messages.event_codec.event_encoding import encode, routing_key
from coordinator.protocol.messages.events import (
    AgentHeartbeat,
    Event,
    EventData,
    HeldTask,
    TaskCompleted,
    TaskDeclined,
    TaskStarted,
)
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.topology import EVENTS
from tests.chaos.execution_log import ExecutionLog
from tests.support.waiting import eventually

__all__ = ["ForeignAgent"]

PAUSE = 0.1
BEAT = 1.0
"""Seconds."""


class ForeignAgent:
    """Serves the queue of tasks that name it, at the priority `normal`. A part of the process that judges:
    no fault is meant for it alone, and those of the broker hit it like any other.
    """

    def __init__(self, agent_id: str, amqp_url: str, log: ExecutionLog) -> None:
        self._agent_id = agent_id
        self._log = log
        self._queue = TaskQueue(lane_name(Requirements(agent_id=agent_id)), Priority.NORMAL).queue
        self._connection = Connection(amqp_url, name=agent_id)
        self._publishing = Connection(amqp_url, name=f"{agent_id} publish")
        self._publisher = Publisher(self._publishing)
        self._in_hand: TaskMessage | None = None
        self._open = AsyncExitStack()
        self._going: list[asyncio.Task[Any]] = []

    async def __aenter__(self) -> Self:
        for one in (self._connection, self._publishing, self._publisher):
            await self._open.enter_async_context(one)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            for one in self._going:
                if one.done():
                    one.result()  # raises: each goes on until it is cancelled
        finally:
            await cancel_and_wait(*self._going)
            await self._open.aclose()

    async def start(self, coordinators: Sequence[str]) -> None:
        """Register, as soon as one of these is there, then take tasks."""

        async def registered() -> bool:
            async with httpx.AsyncClient(timeout=60, trust_env=False) as http:
                body = {"agent_id": self._agent_id, "agent_type": "worker"}
                for url in coordinators:
                    with suppress(httpx.TransportError):
                        if (await http.post(f"{url}/agents/register", json=body)).is_success:
                            return True
            return False

        await eventually(registered, timeout=120)
        self._going = [
            asyncio.create_task(self._beat()),
            asyncio.create_task(self._connection.keep(self._serve)),
        ]

    async def _serve(self, link: Link) -> None:
        channel = await link.channel()
        while True:
            delivery = await channel.get(self._queue)
            if delivery is None:
                await asyncio.sleep(PAUSE)
                continue
            self._in_hand = task = TaskMessage.from_message(delivery.message)
            try:
                await self._do(task, delivery)
            finally:
                self._in_hand = None

    async def _do(self, task: TaskMessage, delivery: Delivery) -> None:
        data = task.task_data
        given = {**_fence(task), "agent_id": self._agent_id}
        if data.get("declined") and not task.republished:
            token = task.task_token
            await self._tell(TaskDeclined(**given, task_type=task.task_type, task_token=token))
            await delivery.ack()
            return
        self._log.write_of("began", task)
        await self._tell(TaskStarted(**given))
        if task.attempt > data.get("failures", 0):
            result = {"number": data["number"]}
            await self._tell(TaskCompleted(**given, result=result, task_token=task.task_token))
        self._log.write_of("ended", task)
        self._log.write_of("settled", task)
        await delivery.ack()

    async def _tell(self, data: EventData) -> None:
        """Until the broker confirms it."""
        message = encode(Event(data=data))
        while True:
            try:
                await self._publisher.publish(message, exchange=EVENTS, key=routing_key(data))
                return
            except Unavailable:
                await asyncio.sleep(PAUSE)

    async def _beat(self) -> None:
        while True:
            held = [HeldTask(**_fence(self._in_hand))] if self._in_hand else []
            beat = AgentHeartbeat(agent_id=self._agent_id, held=held)
            with suppress(Unavailable):
                message = encode(Event(data=beat), persistent=False)
                await self._publisher.publish(message, exchange=EVENTS, key=routing_key(beat))
            await asyncio.sleep(BEAT)


def _fence(task: TaskMessage) -> dict[str, Any]:
    return {"task_id": task.task_id, "generation": task.generation, "attempt": task.attempt}
