"""Agents under users that may do as little as agents need, with the whole service on a real broker."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from consumers import Task
from consumers.agent_timings import AgentTimings
from coordinator.agent_users.agent_grant import AgentGrant
from coordinator.partial_output.output_items import OutputChunk, OutputEnded
from coordinator.protocol.ids import new_id
from tests.docs.blocks import blocks
from tests.e2e.processes import spawned
from tests.support.agent_accounts import account_of, users_of
from tests.support.broker import Broker
from tests.support.doctor import Doctor
from tests.support.serving import Service, serving
from tests.support.waiting import eventually

GUIDE = Path(__file__).parents[2] / "docs/guides/agents-in-other-languages.md"
GPU = {"capabilities": ["gpu"]}


def a_new_id(name: str = "ada") -> str:
    """Users are the node's, which tests share."""
    return f"{name}-{new_id()[-12:]}"


async def test_an_agent_that_may_declare_nothing_registers_and_does_tasks(
    broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    grant = AgentGrant(agent_id=a_new_id(), capabilities=("gpu",))
    async with (
        account_of(broker, grant) as [url],
        serving(broker, tmp_path, require_identity=True) as service,
    ):
        agent = service.agent(grant.agent_id, capabilities=["gpu"], slots=2)
        agent.configure(amqp_url=url)

        @agent.task("reverse")
        async def reverse(task: Task) -> str:
            return str(task.data["text"])[::-1]

        async with agent.running() as running:
            await running.registered()
            open_lane = await service.post(
                "/tasks/submit", task_data={"task_type": "reverse", "text": "ab"}
            )
            lane = await service.post(
                "/tasks/submit", task_data={"task_type": "reverse", "text": "cd"}, requirements=GPU
            )
            for one, result in ((open_lane, "ba"), (lane, "dc")):
                assert (await service.ends(one["task_id"]))["result"] == result
            own = [name for name in await broker.queues() if name.startswith("agent.")]
            assert len(own) == 1
    assert not [one for one in caplog.messages if "no coordinator answers" in one]


async def test_two_processes_under_one_id_and_one_user_are_told_apart(
    broker: Broker, tmp_path: Path
) -> None:
    grant = AgentGrant(agent_id=a_new_id())
    async with (
        account_of(broker, grant) as [url],
        serving(broker, tmp_path, require_identity=True, heartbeat_interval=0.2) as service,
        AsyncExitStack() as processes,
    ):
        for _ in range(2):
            agent = service.agent(grant.agent_id)
            agent.configure(amqp_url=url)
            agent.default(lambda _: "done")
            running = await processes.enter_async_context(agent.running())
            await running.registered()
        own = [name for name in await broker.queues() if name.startswith("agent.")]
        assert len(own) == 2

        async def told() -> bool:
            shown = (await service.http.get(f"/agents/{grant.agent_id}")).json()["agent"]
            return "other_instance" in shown["metadata"]

        await eventually(told)


async def problems_of(service: Service, agent_id: str) -> list[str]:
    """As the API shows them."""
    agent = (await service.http.get(f"/agents/{agent_id}")).json()["agent"]
    found: list[str] = agent["metadata"].get("problems", [])
    return found


async def test_a_lane_that_an_agent_may_not_read_is_left_out_and_told_and_the_others_are_served(
    broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    grant = AgentGrant(agent_id=a_new_id())  # and not the capability that it claims
    async with account_of(broker, grant) as [url], serving(broker, tmp_path) as service:
        agent = service.agent(grant.agent_id, capabilities=["gpu"], slots=2)
        agent.configure(amqp_url=url)

        @agent.default
        async def work(task: Task) -> str:
            return "done"

        async with agent.running() as running:
            await running.registered()
            refused = await service.post("/tasks/submit", task_data={}, requirements=GPU)

            async def told() -> list[str]:
                return await problems_of(service, grant.agent_id)

            [problem] = await eventually(told)
            assert "lacks the permission to read tasks.cap:gpu.normal" in problem
            answer = await service.http.get(f"/tasks/{refused['task_id']}/explain")
            why = answer.json()["explanation"]
            assert "lacks the permission to read its queue on the broker" in why["why"]
            [able] = why["able"]
            assert "its user on the broker may not read tasks.cap:gpu.normal" in able["why_not"][0]
            stats = (await service.http.get("/tasks/queues/stats")).json()
            listening = {
                one["queue"]: one["listening"] for one in stats["queues"] if "gpu" in one["queue"]
            }
            assert listening == {"tasks.cap:gpu.normal": 0}
            finding = await Doctor(broker, tmp_path).warns("agents-users", "may not read 1 lane")
            assert f"coordinator agents add {grant.agent_id} --type worker" in finding
            assert "--capability gpu" in finding
            for _ in range(3):
                done = await service.post("/tasks/submit", task_data={})
                assert (await service.ends(done["task_id"]))["result"] == "done"

            async def well() -> bool:  # degraded it was while it had no other queue
                shown = (await service.http.get(f"/agents/{grant.agent_id}")).json()["agent"]
                return shown["status"] in {"active", "busy"}

            await eventually(well)
            assert (await service.told(refused["task_id"]) or {})["state"] == "queued"

            async with users_of(broker) as users:  # and once it is granted, it is done
                await users.add(AgentGrant(agent_id=grant.agent_id, capabilities=("gpu",)))
            assert (await service.ends(refused["task_id"]))["result"] == "done"

            async def nothing_to_tell() -> bool:
                return await told() == []

            await eventually(nothing_to_tell)
    assert len([one for one in caplog.messages if "a queue is left out" in one]) == 1
    assert not [one for one in caplog.messages if "session interrupted" in one]


async def test_what_the_broker_refuses_is_told_instead_of_that_no_coordinator_answers(
    broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    grant = AgentGrant(agent_id=a_new_id())
    lanes_alone = {**grant.permissions, "read": r"^tasks\..*$"}
    async with account_of(broker, grant) as [url], serving(broker, tmp_path) as service:
        await broker.management.put("permissions", broker.vhost, grant.user, body=lanes_alone)
        agent = service.agent(grant.agent_id)
        agent.configure(
            amqp_url=url, timings=AgentTimings(registration_timeout=timedelta(seconds=1))
        )
        agent.default(lambda _: "done")

        async with agent.running():
            waiting = await eventually(
                lambda: [one for one in caplog.messages if "waiting to be registered" in one]
            )
    assert f"lacks the permission to read the queue agent.{grant.user}.control." in waiting[0]
    assert not [one for one in caplog.messages if "no coordinator answers" in one]


async def test_the_plain_agent_of_the_guide_does_tasks_under_a_user_that_may_declare_nothing(
    broker: Broker, tmp_path: Path
) -> None:
    agent_id = a_new_id("plain")
    grant = AgentGrant(agent_id=agent_id, capabilities=("reversing",), task_types=("reverse",))
    (code,) = [one.code for one in blocks(GUIDE) if one.verb == "file"]
    program = tmp_path / "plain_agent.py"
    program.write_text(code.replace('AGENT = "plain-agent"', f'AGENT = "{agent_id}"'))
    async with (
        account_of(broker, grant) as [url],
        serving(broker, tmp_path, require_identity=True) as service,
    ):
        command, output = (sys.executable, str(program)), tmp_path / "agent.out"
        file = tmp_path / "agent.url"
        file.write_text(f"{url}\n")
        environment = {"COORDINATOR_AMQP_URL_FILE": str(file)}
        async with spawned(*command, output=output, environment=environment):

            async def listens() -> bool:
                answer = await service.http.get(f"/agents/{agent_id}")
                return answer.status_code == 200 and answer.json()["agent"]["listening"]

            await eventually(listens)
            told = {"task_type": "reverse", "text": "stressed"}
            for wanted in ({}, {"capabilities": ["reversing"]}, {"agent_id": agent_id}):
                done = await service.post("/tasks/submit", task_data=told, requirements=wanted)
                task = await service.ends(done["task_id"])
                assert task["result"] == {"reversed": "desserts"}
                with service.coordinator.output.subscribe(task["task_id"]) as items:
                    said = [await asyncio.wait_for(anext(items), 30) for _ in range(10)]
                assert isinstance(said[-1], OutputEnded)
                letters = [one.chunk for one in said if isinstance(one, OutputChunk)]
                assert "".join(letters) == "desserts"
            assert (await service.http.get("/parked")).json()["total"] == 0
