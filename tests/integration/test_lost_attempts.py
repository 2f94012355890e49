"""Agents that lose what they took, under a whole service, and others that only look as if they did."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from consumers import Task
from coordinator.broker.channel import Channel
from coordinator.broker.connection import Connection
from coordinator.broker.publisher import Publisher
from coordinator.protocol.messages.event_codec.event_encoding import encode, routing_key
from coordinator.protocol.messages.events import (
    AgentHeartbeat,
    Event,
    EventData,
    RunningTask,
    TaskCompleted,
    TaskStarted,
)
from coordinator.protocol.messages.task_message import Backoff, TaskMessage
from coordinator.protocol.priority import Priority
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.topology import EVENTS
from tests.support.broker import Broker
from tests.support.serving import Service, serving
from tests.support.waiting import eventually

SOON: dict[str, Any] = {"attempt_lost_after": 1.0, "heartbeat_interval": 0.2}
OPEN = TaskQueue("any", Priority.NORMAL)
BEAT = 0.1


class ForeignAgent:
    """Speaks AMQP without the SDK, and acknowledges when it likes."""

    def __init__(self, agent_id: str, publisher: Publisher, channel: Channel) -> None:
        self.agent_id = agent_id
        self._publisher = publisher
        self._channel = channel
        self.names: set[str] | None = None
        """The tasks in its heartbeats; None for heartbeats without any list."""

    async def take(self, source: TaskQueue = OPEN, *, acknowledges: bool = True) -> TaskMessage:
        """Take a task and say so."""

        async def one() -> TaskMessage | None:
            delivery = await self._channel.get(source.queue)
            if delivery is None:
                return None
            task = TaskMessage.from_message(delivery.message)
            await self.say(TaskStarted(**_fence(task), agent_id=self.agent_id))
            if acknowledges:
                await delivery.ack()
            return task

        return await eventually(one)

    async def completes(self, task: TaskMessage, *, token: str | None = None) -> None:
        await self.say(
            TaskCompleted(
                **_fence(task),
                agent_id=self.agent_id,
                result={"by": self.agent_id},
                task_token=task.task_token if token is None else token,
            )
        )

    async def say(self, data: EventData, *, persistent: bool = True) -> None:
        message = encode(Event(data=data), persistent=persistent)
        await self._publisher.publish(message, exchange=EVENTS, key=routing_key(data))

    async def loses_its_channel(self) -> None:
        """What it had in hand and did not acknowledge goes back to its queue."""
        await self._channel.close()

    async def beat_on(self) -> None:
        while True:
            given: dict[str, Any] = {"agent_id": self.agent_id}
            if self.names is not None:
                now = datetime.now(UTC)
                tasks = [RunningTask(task_id=one, started_at=now) for one in sorted(self.names)]
                given["running"] = tasks
            await self.say(AgentHeartbeat.model_validate(given), persistent=False)
            await asyncio.sleep(BEAT)


def _fence(task: TaskMessage) -> dict[str, Any]:
    return {"task_id": task.task_id, "generation": task.generation, "attempt": task.attempt}


@asynccontextmanager
async def foreign(service: Service, agent_id: str = "foreign") -> AsyncIterator[ForeignAgent]:
    await service.post("/agents/register", agent_id=agent_id, agent_type="worker")
    url = service.broker.url
    async with (
        Connection(url, name=f"{service.broker.name} {agent_id}") as connection,
        Connection(url, name=f"{service.broker.name} {agent_id} publish") as publishing,
        Publisher(publishing) as publisher,
    ):
        channel = await (await connection.opened_or_refused()).channel()
        await publisher.ready()
        agent = ForeignAgent(agent_id, publisher, channel)
        beating = asyncio.create_task(agent.beat_on())
        try:
            yield agent
        finally:
            beating.cancel()
            with suppress(asyncio.CancelledError):
                await beating


async def happened(service: Service, task_id: str) -> list[dict[str, Any]]:
    answer = await service.http.get(f"/tasks/{task_id}/events")
    found: list[dict[str, Any]] = answer.json()["events"]
    return found


async def losses(service: Service, task_id: str) -> list[dict[str, Any]]:
    return [one for one in await happened(service, task_id) if one["type"] == "task.lost"]


async def lost(service: Service, task_id: str) -> dict[str, Any]:
    async def there() -> dict[str, Any] | None:
        return next(iter(await losses(service, task_id)), None)

    return await eventually(there)


async def test_what_an_agent_acknowledged_without_an_outcome_that_counts_is_done_by_another(
    broker: Broker, tmp_path: Path
) -> None:
    async with serving(broker, tmp_path, **SOON) as service, foreign(service) as agent:
        agent.names = {"something-else"}
        task_id = await service.submit()
        await agent.completes(await agent.take(), token="wrong")
        await service.becomes(task_id, "running")
        answer = await service.http.post(f"/tasks/{task_id}/retry")
        assert answer.status_code == 409
        assert "another attempt follows by itself" in answer.json()["detail"]
        told = await lost(service, task_id)
        assert told["attempt"] == 1
        assert told["details"]["started_by"] == "foreign"
        assert told["details"]["reason"] == "not-named"
        good = service.agent("good")
        good.default(lambda task: {"attempt": task.attempt})
        async with good.running():
            task = await service.ends(task_id)
        assert (task["state"], task["result"]) == ("completed", {"attempt": 2})
        assert len(await losses(service, task_id)) == 1


async def test_what_an_agent_acknowledged_before_it_died_is_done_by_another(
    broker: Broker, tmp_path: Path
) -> None:
    async with serving(broker, tmp_path, **SOON) as service:
        task_id = await service.submit()
        async with foreign(service) as agent:
            agent.names = {task_id}
            await agent.take()

            registry = service.coordinator.registry
            await eventually(lambda: task_id in (registry.agent_now("foreign").running or ()))
        told = await lost(service, task_id)
        assert told["details"]["reason"] == "agent-gone"
        good = service.agent("good")
        good.default(lambda task: {"attempt": task.attempt})
        async with good.running():
            assert (await service.ends(task_id))["result"] == {"attempt": 2}


async def test_what_is_named_or_held_or_waits_on_its_queue_is_left_alone(
    broker: Broker, tmp_path: Path
) -> None:
    """As long as one that is lost takes to be noticed twice."""
    own = {name: {"capabilities": [name]} for name in ("slow", "mute", "returned")}
    async with (
        serving(broker, tmp_path, **SOON) as service,
        foreign(service) as agent,
        foreign(service, "mute") as mute,
        foreign(service, "dead") as dead,
    ):
        tasks = {name: await service.submit(requirements=one) for name, one in own.items()}
        agent.names = {tasks["slow"]}
        await agent.take(TaskQueue("cap:slow", Priority.NORMAL), acknowledges=False)
        await mute.take(TaskQueue("cap:mute", Priority.NORMAL), acknowledges=False)
        dead.names = {"something-else"}
        await dead.take(TaskQueue("cap:returned", Priority.NORMAL), acknowledges=False)
        await dead.loses_its_channel()
        sentinel = await service.submit(backoff=Backoff(first_seconds=0.01))
        for attempt in (1, 2):
            await agent.take()

            async def again(attempt: int = attempt) -> bool:
                return len(await losses(service, sentinel)) == attempt

            await eventually(again)
        for name, task_id in tasks.items():
            task = await service.task(task_id)
            assert (task["state"], task["attempt"]) == ("running", 1), name
            assert await losses(service, task_id) == []


async def test_an_outcome_that_comes_late_still_counts(broker: Broker, tmp_path: Path) -> None:
    async with serving(broker, tmp_path, **SOON) as service, foreign(service) as agent:
        agent.names = {"something-else"}
        task_id = await service.submit(backoff=Backoff(first_seconds=3600))
        task = await agent.take()
        await lost(service, task_id)
        await agent.completes(task)
        ended = await service.ends(task_id)
        assert (ended["state"], ended["attempt"]) == ("completed", 1)
        assert ended["result"] == {"by": "foreign"}


async def test_of_two_coordinators_each_attempt_is_given_up_by_one(
    broker: Broker, tmp_path: Path
) -> None:
    async with (
        serving(broker, tmp_path, **SOON) as service,
        serving(broker, tmp_path, **SOON) as other,
        foreign(service) as agent,
    ):
        agent.names = {"something-else"}
        task_id = await service.submit(max_attempts=3, backoff=Backoff(first_seconds=0.01))
        for _ in range(3):
            await agent.take()
        for one in (service, other):  # who says it sees it first
            ended = await one.ends(task_id)
            assert (ended["state"], ended["error"]["type"]) == ("dead", "AttemptLost")
            assert [loss["attempt"] for loss in await losses(one, task_id)] == [1, 2, 3]


async def test_a_coordinator_that_was_restarted_meanwhile_hears_everybody_first(
    broker: Broker, tmp_path: Path
) -> None:
    async with serving(broker, tmp_path, **SOON) as service:
        task_id = await service.submit()
        async with foreign(service) as agent:
            agent.names = {"something-else"}
            await agent.take()
            await service.becomes(task_id, "running")
    async with serving(broker, tmp_path, **SOON) as service, foreign(service) as agent:
        agent.names = {"something-else"}
        assert (await lost(service, task_id))["attempt"] == 1


@pytest.mark.slow
async def test_agents_that_are_busy_for_long_are_never_taken_for_lost(
    broker: Broker, tmp_path: Path
) -> None:
    """Tasks that last longer than it takes to notice a loss, and others that wait behind them."""
    release = asyncio.Event()
    async with serving(broker, tmp_path, **SOON) as service, foreign(service) as lossy:
        lossy.names = {"something-else"}
        sentinel = await service.submit(requirements={"capabilities": ["lossy"]})
        await lossy.take(TaskQueue("cap:lossy", Priority.NORMAL))
        agent = service.agent("busy", slots=2)

        @agent.default
        async def hold(task: Task) -> int:
            await release.wait()
            return task.attempt

        held = [await service.submit() for _ in range(4)]
        async with agent.running():
            for task_id in held[:2]:
                await service.becomes(task_id, "running")
            await lost(service, sentinel)
            release.set()
            for task_id in held:
                assert (await service.ends(task_id))["result"] == 1
                assert await losses(service, task_id) == []
