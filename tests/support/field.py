"""A broker set up as a coordinator leaves it, without a coordinator: agents are tested on it. Only the
control queues that they ask for are opened, as by one that answers nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar

from consumers import Agent
from consumers._link.registration_cache import RegistrationCache
from consumers.agent_timings import DEFAULT_TIMINGS, AgentTimings
from coordinator.broker.channel import Channel, Delivery
from coordinator.broker.connection import Connection
from coordinator.broker.publisher import Publisher
from coordinator.errors import PublishRefused, Unavailable
from coordinator.protocol.ids import new_id
from coordinator.protocol.lanes import lane_name
from coordinator.protocol.message import Message
from coordinator.protocol.messages.agent_commands import (
    EVERY_AGENT,
    Command,
    agent_key,
    encode_command,
)
from coordinator.protocol.messages.events import (
    AgentHeartbeat,
    Event,
    EventData,
    TaskCompleted,
    TaskFailed,
    TaskStarted,
)
from coordinator.protocol.messages.registration import (
    CONTROL_QUEUE,
    REGISTER,
    ControlQueueRequest,
    RegisterReply,
    SourceOffer,
)
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.topology import (
    CONTROL,
    EVENTS,
    TASKS,
    TOPOLOGY,
    BindingSpec,
    QueueSpec,
    Topology,
    control_queue_topology,
    task_queue_topology,
    wake_queue_spec,
)
from tests.support.decoding import decode

from .waiting import eventually

__all__ = ["Field", "any_lane", "lane"]

Data = TypeVar("Data", bound=EventData)


def any_lane(priority: str = "normal") -> TaskQueue:
    """The queue of tasks without requirements."""
    return TaskQueue("any", Priority(priority))


def lane(name: str, priority: str = "normal") -> TaskQueue:
    return TaskQueue(lane_name(Requirements(capabilities=(name,))), Priority(priority))


class Field:
    """Declares queues, submits tasks, and hears every event in the order of its arrival.

    ``lasting`` is for tests that stop the broker: nothing is missed then, but each event costs more.
    ``timings`` are those of its agents, which wait for calls at ``wake_queue``.
    """

    def __init__(
        self,
        url: str,
        cache_dir: Path,
        *,
        lasting: bool = False,
        timings: AgentTimings = DEFAULT_TIMINGS,
        wake_queue: str | None = None,
    ) -> None:
        self.url = url
        self.wake_queue = wake_queue
        self.timings = timings
        self.cache_dir = cache_dir
        self.events: list[Event] = []
        self.bad: list[str] = []
        """Events that could not be decoded."""
        self.sources: list[TaskQueue] = []
        self._connection = Connection(url, name="test field")
        self._publisher = Publisher(self._connection)
        self._channel: Channel | None = None
        self._opening: set[asyncio.Task[None]] = set()
        self._ears = (
            QueueSpec(name="test.events", arguments={"x-queue-type": "quorum"})
            if lasting
            else QueueSpec(name=f"test.events.{new_id()}", exclusive=True)
        )

    async def __aenter__(self) -> Self:
        await self._connection.__aenter__()
        await self._publisher.__aenter__()
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        for opening in self._opening:
            opening.cancel()
        await self._publisher.__aexit__()
        await self._connection.__aexit__()

    async def listen(self) -> None:
        """Set up the broker and hear events; again after the broker was away."""
        link = await self._connection.opened_or_refused()
        self._channel = await link.channel()
        await self._channel.declare(TOPOLOGY)
        if self.wake_queue is not None:
            await self._channel.declare(Topology(queues=(wake_queue_spec(self.wake_queue),)))
        await self._channel.declare(
            Topology(
                queues=(self._ears,),
                bindings=(BindingSpec(exchange=EVENTS, target=self._ears.name, key="#"),),
            )
        )
        await self._channel.consume(self._ears.name, self._heard, tag=new_id(), no_ack=True)
        await self._publisher.ready()

    def _heard(self, delivery: Delivery) -> None:
        message = delivery.message
        if message.type in (CONTROL_QUEUE, REGISTER):
            if message.type == CONTROL_QUEUE:
                opening = asyncio.create_task(self._open_control_queue(message))
                self._opening.add(opening)
                opening.add_done_callback(self._opening.discard)
            return
        try:
            self.events += decode(delivery.message, delivery.routing_key)
        except Exception as exc:  # noqa: BLE001 - shown by the test that looks
            self.bad.append(repr(exc))

    async def _open_control_queue(self, message: Message) -> None:
        agent_id = ControlQueueRequest.model_validate_json(message.body).agent_id
        keys, queue = (agent_key(agent_id), EVERY_AGENT), message.reply_to or ""
        with suppress(Unavailable):  # where the test has ended, or its broker
            channel = await (await self._connection.opened()).channel()
            await channel.declare(control_queue_topology(queue, keys=keys))
            await channel.close()

    async def open(self, *sources: TaskQueue) -> None:
        """Declare queues, as for the first task on each."""
        assert self._channel is not None
        for source in sources:
            await self._channel.declare(task_queue_topology(source))
            self.sources.append(source)

    def agent(
        self,
        agent_id: str,
        *,
        slots: int = 1,
        serves: Iterable[TaskQueue] | None = None,
        **more: Any,
    ) -> Agent:
        """An agent that was registered before, for ``serves`` or all queues that are open now."""
        offers = [SourceOffer.of(s) for s in (self.sources if serves is None else serves)]
        agent = Agent(agent_id, slots=slots, amqp_url=self.url, cache_dir=self.cache_dir, **more)
        agent.configure(timings=self.timings)
        cache = RegistrationCache(self.cache_dir, agent.options.profile(), amqp_url=self.url)
        cache.save(RegisterReply(sources=offers, wake_queue=self.wake_queue))
        return agent

    def message(self, source: TaskQueue, **data: Any) -> TaskMessage:
        return TaskMessage(
            task_id=new_id(),
            task_data=data,
            priority=source.priority,
            submitted_at=datetime.now(UTC),
            task_token="token",
        )

    async def submit(self, source: TaskQueue, **data: Any) -> str:
        """One task with this `task_data`; returns its id."""
        message = self.message(source, **data)
        await self.send(source, message)
        return message.task_id

    async def send(self, source: TaskQueue, message: TaskMessage) -> None:
        await self._publisher.publish(message.to_message(), exchange=TASKS, key=source.key)

    async def command(self, command: Command, agent_id: str | None = None) -> None:
        """To one agent, or to all of them: one that has just begun to take tasks may have no control queue
        yet.
        """
        key = EVERY_AGENT if agent_id is None else agent_key(agent_id)

        async def has_a_queue() -> bool:
            try:
                await self._publisher.publish(
                    encode_command(command), exchange=CONTROL, key=key, mandatory=True
                )
            except PublishRefused:
                return False
            return True

        await eventually(has_a_queue)

    async def submit_many(self, source: TaskQueue, count: int, **data: Any) -> list[str]:
        ids: list[str] = []
        while len(ids) < count:
            some = min(500, count - len(ids))
            ids += await asyncio.gather(*(self.submit(source, **data) for _ in range(some)))
        return ids

    async def depth(self, source: TaskQueue) -> int:
        assert self._channel is not None
        return (await self._channel.depth(source.queue)).ready

    async def waits(self, source: TaskQueue, count: int) -> bool:
        """Whether so many tasks are there. What an agent gives back is there a moment after it has ended."""
        return await self.depth(source) == count

    async def consumers(self, source: TaskQueue) -> int:
        assert self._channel is not None
        return (await self._channel.depth(source.queue)).consumers

    async def take_all(self, source: TaskQueue) -> list[Delivery]:
        """What waits there, which is nobody else's from then on."""
        assert self._channel is not None
        taken: list[Delivery] = []
        while (delivery := await self._channel.get(source.queue)) is not None:
            taken.append(delivery)
        return taken

    def heard(self, kind: type[Data]) -> list[Data]:
        """What was heard of one type of event, in order."""
        return [event.data for event in self.events if isinstance(event.data, kind)]

    def tells(self, **fields: object) -> bool:
        """Whether the latest heartbeat has these values; not before the first one."""
        beats = self.heard(AgentHeartbeat)
        return bool(beats) and all(getattr(beats[-1], name) == fields[name] for name in fields)

    def started(self) -> list[str]:
        """The ids of the tasks that were started, in order."""
        return [event.task_id for event in self.heard(TaskStarted)]

    def ended(self) -> set[str]:
        return {e.task_id for e in self.heard(TaskCompleted)} | {
            e.task_id for e in self.heard(TaskFailed)
        }

    async def all_ended(self, task_ids: Iterable[str], *, timeout: float = 60) -> None:
        wanted = set(task_ids)
        await eventually(lambda: wanted <= self.ended(), timeout=timeout)
