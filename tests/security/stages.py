"""A service that requires identity, an agent that works, and another one's user who publishes by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consumers import Agent, Task
from coordinator.protocol.ids import new_id
from coordinator.protocol.messages.task_message import TaskMessage
from tests.support.broker import Broker
from tests.support.broker_users import Account, broker_account
from tests.support.serving import Service, serving

from .actors import Publishing, publishing
from .forgeries import Scene

__all__ = ["Stage", "staged"]

STEADY = ("agent_type", "capabilities", "services", "registration_time")
"""What an agent's own heartbeats do not change while it works."""


@dataclass
class Stage:
    """The victim works on its task until it is released; the attacker has one of its own in hand."""

    service: Service
    scene: Scene
    attacker: Publishing
    release: asyncio.Event

    async def state(self) -> dict[str, Any]:
        """All that is known of the victim, and which tasks and queues there are."""
        await self.service.coordinator.registry.settle()
        await self.service.coordinator.registry._hear()
        http, task_id, victim = self.service.http, self.scene.task["task_id"], self.scene.victim
        agent = (await http.get(f"/agents/{victim}")).json()["agent"]
        tasks = (await http.get("/tasks")).json()["tasks"]
        return {
            "task": await self.service.task(task_id),
            "timeline": (await http.get(f"/tasks/{task_id}/events")).json()["events"],
            "agent": {name: agent[name] for name in STEADY},
            "works": agent["status"] in {"active", "busy"},
            "tasks": sorted(one["task_id"] for one in tasks),
            "lanes": sorted(one.queue for one in self.service.coordinator.opener._book.sources()),
        }

    async def parked(self) -> int:
        await self.service.coordinator.registry.settle()
        return int((await self.service.http.get("/parked")).json()["total"])


@asynccontextmanager
async def staged(broker: Broker, folder: Path) -> AsyncIterator[Stage]:
    """Both agents have users that may do everything: nothing but their identity keeps them apart."""
    victim, attacker = (f"{name}-{new_id()[-12:]}" for name in ("ada", "mallory"))
    release, own = asyncio.Event(), asyncio.get_running_loop().create_future()
    async with AsyncExitStack() as stack:
        urls = {
            name: await stack.enter_async_context(broker_account(broker, Account(name=name)))
            for name in (victim, attacker)
        }
        service = await stack.enter_async_context(serving(broker, folder, require_identity=True))

        async def work(task: Task) -> str:
            await release.wait()
            return "done"

        async def keep(task: Task) -> str:
            own.set_result(task._message)
            await release.wait()
            return "done"

        for name, handler in ((victim, work), (attacker, keep)):
            agent = Agent(name, amqp_url=urls[name], cache_dir=folder / name)
            agent.default(handler)
            await stack.enter_async_context(agent.running())
        tasks = {
            name: await service.submit(requirements={"agent_id": name})
            for name in (victim, attacker)
        }
        for task_id in tasks.values():
            await service.becomes(task_id, "running")
        message: TaskMessage = await own
        scene = Scene(
            victim=victim,
            task={
                **json.loads(message.model_dump_json(exclude_none=True)),
                "task_id": tasks[victim],
                "requirements": {"agent_id": victim},
            },
            attacker=attacker,
            own_task=json.loads(message.model_dump_json(exclude_none=True)),
        )
        hands = await stack.enter_async_context(publishing(urls[attacker], attacker))
        stack.callback(release.set)
        yield Stage(service, scene, hands, release)
