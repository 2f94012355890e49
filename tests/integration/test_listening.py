"""Who listens, on a real broker: an agent that speaks HTTP alone takes nothing, and everybody is told."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

from coordinator.bootstrap import Replacements, Timings
from coordinator.protocol.messages.event_codec.event_encoding import encode, routing_key
from coordinator.protocol.messages.events import AgentHeartbeat, Event
from coordinator.protocol.topology import EVENTS
from tests.support.broker import Broker
from tests.support.control_queue import control_queue_of
from tests.support.serving import Service, serving
from tests.support.waiting import eventually

GPU = {"capabilities": ["gpu"]}


async def register(service: Service, agent_id: str = "ada") -> str | None:
    """Over HTTP; the warning."""
    told = {"agent_id": agent_id, "agent_type": "worker", "capabilities": ["gpu"]}
    warning: str | None = (await service.post("/agents/register", **told)).get("warning")
    return warning


async def told(service: Service) -> dict[str, Any]:
    """What every view says of the one agent and of the queue that it could serve."""
    submitted = await service.post("/tasks/submit", task_data={}, requirements=GPU)
    explained = (await service.http.get(f"/tasks/{submitted['task_id']}/explain")).json()
    stats = (await service.http.get("/tasks/queues/stats")).json()
    discovered = (await service.post("/agents/discover", **GPU))["agents"]
    looked_up = (await service.http.get("/agents/ada")).json()["agent"]
    listed = (await service.http.get("/agents?listening=true")).json()["agents"]
    [queue] = [one for one in stats["queues"] if one["queue"] == "tasks.cap:gpu.normal"]
    return {
        "warning": submitted.get("warning", ""),
        "why": explained["explanation"]["why"],
        "why_not": explained["explanation"]["able"][0]["why_not"],
        "warnings": explained["explanation"]["warnings"],
        "listening": [
            *(agent["listening"] for agent in (*discovered, looked_up)),
            len(listed) == 1,
            queue["listening"] == 1,
            stats["distribution_stats"]["load_balancer_stats"]["listening_agents"] == 1,
        ],
        "status": looked_up["status"],
    }


async def listens(service: Service) -> bool:
    found = await told(service)
    return all(found["listening"]) and not (found["warning"] or found["why_not"])


async def is_deaf(service: Service) -> bool:
    found = await told(service)
    return not any(found["listening"]) and "control queue" in found["warning"]


async def test_an_agent_that_registered_over_http_alone_is_said_to_take_nothing(
    broker: Broker, tmp_path: Path
) -> None:
    async with serving(broker, tmp_path) as service:
        warning = await register(service)
        assert warning is not None
        assert "no control queue" in warning
        assert "docs/guides/agents-in-other-languages.md" in warning

        for _ in range(2):
            found = await told(service)
            assert found["listening"] == [False] * 5
            assert found["status"] == "active"
            assert "The one agent that meets the requirements does not listen" in found["warning"]
            assert found["why"].startswith("The one agent that may do it, ada, takes none now: ")
            assert "no control queue" in found["why_not"][0]
            assert found["warnings"] == [found["warning"]]
            # A sign of life over HTTP is one of the agent, not of a queue.
            await service.post("/agents/ada/heartbeat")


async def test_an_agent_with_a_queue_listens_though_it_speaks_http_and_as_long_as_it_is_there(
    broker: Broker, tmp_path: Path
) -> None:
    replacements = Replacements(timings=Timings(probed_again_after=timedelta(seconds=1)))
    async with (
        serving(broker, tmp_path, replacements=replacements) as service,
        serving(broker, tmp_path, replacements=replacements) as other,
    ):
        async with control_queue_of("ada", broker.url):
            assert await register(service) is None
            assert await listens(service)
            await eventually(other.coordinator.registry.discover)
            await eventually(lambda: listens(other))
        await eventually(lambda: is_deaf(service))
        await eventually(lambda: is_deaf(other))
        async with control_queue_of("ada", broker.url):
            await eventually(lambda: listens(service))
            await eventually(lambda: listens(other))


async def test_a_coordinator_that_starts_again_knows_who_listens(
    broker: Broker, tmp_path: Path
) -> None:
    async with serving(broker, tmp_path) as service:
        await register(service)
        await service.post("/agents/ada/heartbeat")
        await service.post("/agents/register", agent_id="bob", agent_type="worker")
        await eventually(lambda: is_deaf(service))
    async with control_queue_of("bob", broker.url), serving(broker, tmp_path) as service:
        assert not (await told(service))["listening"][0]

        async def bob_listens() -> bool:
            answer = await service.http.get("/agents/bob")
            return bool(answer.json()["agent"]["listening"])

        await eventually(bob_listens)


async def test_a_heartbeat_over_the_broker_proves_that_an_agent_listens(
    broker: Broker, tmp_path: Path
) -> None:
    async with serving(broker, tmp_path) as service:
        await register(service)
        await eventually(lambda: is_deaf(service))
        event = Event(data=AgentHeartbeat(agent_id="ada"))
        await service.coordinator.publisher.publish(
            encode(event, persistent=False), exchange=EVENTS, key=routing_key(event.data)
        )
        await eventually(lambda: listens(service))


async def test_an_agent_of_the_sdk_listens_at_once_though_its_coordinator_starts_again(
    broker: Broker, tmp_path: Path
) -> None:
    async with AsyncExitStack() as staying:
        async with serving(broker, tmp_path) as service:
            agent = service.agent("ada", capabilities=["gpu"])

            @agent.default
            async def work(_: object) -> None:
                """Nothing."""

            running = await staying.enter_async_context(agent.running())
            await running.registered()
            assert await listens(service)
        async with serving(broker, tmp_path) as service:
            assert await listens(service)
            # What somebody says of it over HTTP does not make it deaf.
            await service.post("/agents/ada/heartbeat")
            assert await register(service) is None
            assert await listens(service)
