"""A user of the broker who may publish anything changes nothing of another's, where identity is required."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from consumers import Agent, Task
from coordinator.protocol.ids import new_id
from coordinator.protocol.messages.registration import REGISTER, control_queue
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.topology import REQUESTS
from tests.support.broker import Broker
from tests.support.broker_users import Account, broker_account
from tests.support.serving import Service, serving
from tests.support.waiting import eventually

from .actors import Letter, Publishing, publishing
from .forgeries import Scene, by_key_and_user, of_coordinators, of_outcomes, of_tasks

STEADY = ("agent_type", "capabilities", "services", "registration_time")
"""What an agent's own heartbeats do not change while it works."""

pytestmark = pytest.mark.timeout(240)


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


@pytest.mark.parametrize("forgeries", [by_key_and_user, of_outcomes, of_coordinators, of_tasks])
async def test_nothing_that_is_forged_changes_anything_of_anothers(
    broker: Broker, tmp_path: Path, forgeries: Any
) -> None:
    async with staged(broker, tmp_path) as stage:
        before = await stage.state()
        harm: dict[str, Any] = {}
        for how, letter in forgeries(stage.scene):
            await stage.attacker.send(letter)
            after = await stage.state()
            if after != before:
                harm[how] = {name: after[name] for name in after if after[name] != before[name]}
                before = after
        assert harm == {}
        # What was said truly counts as ever.
        stage.release.set()
        ended = await stage.service.ends(stage.scene.task["task_id"])
        assert (ended["state"], ended["agent_id"]) == ("completed", stage.scene.victim)


async def test_what_was_forged_is_parked_with_its_reason_and_counted_by_its_author(
    broker: Broker, tmp_path: Path
) -> None:
    async with staged(broker, tmp_path) as stage:
        (_, forged), *_ = list(of_outcomes(stage.scene))
        (_, without_user), (_, of_another), *_ = list(by_key_and_user(stage.scene))
        for letter in (forged, without_user, of_another):
            await stage.attacker.send(letter)
        assert await stage.parked() == 3
        page = (await stage.service.http.get("/parked")).json()["parked"]
        reasons = [one["reason"].partition(":")[0] for one in page]
        assert sorted(reasons) == ["ForgedIdentity", "ForgedIdentity", "WrongToken"]

        async def told() -> list[str] | None:
            problems = (await stage.service.http.get("/health")).json().get("problems", [])
            return problems if len(problems) == 2 else None

        problems = await eventually(told)
        assert all(f"user {stage.attacker.name}: 1" in one for one in problems)


@pytest.mark.parametrize("user_id", [None, ""])
async def test_nobody_registers_as_another(
    broker: Broker,
    tmp_path: Path,
    user_id: str | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with staged(broker, tmp_path) as stage:
        before, victim = await stage.state(), stage.scene.victim
        request = Letter(
            key=REQUESTS,
            exchange="",
            type=REGISTER,
            body={"agent_id": victim, "agent_type": "worker", "capabilities": ["forged"]},
            user_id=user_id,
            reply_to=control_queue(victim, "forged"),
        )
        await stage.attacker.send(request)
        await eventually(
            lambda: any("is not this agent's" in getattr(one, "why", "") for one in caplog.records)
        )
        assert await stage.state() == before


async def test_the_broker_refuses_anothers_user(broker: Broker, tmp_path: Path) -> None:
    async with staged(broker, tmp_path) as stage:
        for how, letter in by_key_and_user(stage.scene):
            taken = await stage.attacker.send(letter)
            assert taken is (letter.user_id != stage.scene.victim), how
