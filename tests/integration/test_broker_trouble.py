"""What a broker can do to a service with an agent: told in a sentence, and over by itself afterwards.

Each trouble ends the same way: a task that is submitted runs to its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import pytest

from consumers import Task
from coordinator.protocol.lanes import Source
from coordinator.protocol.priority import Priority
from coordinator.protocol.topology import LOG, TOPOLOGY
from tests.support.broker import Broker, OwnBroker
from tests.support.serving import Service, serving
from tests.support.waiting import eventually

NORMAL = Source("any", Priority.NORMAL)
EVERYTHING = {"configure": ".*", "write": ".*", "read": ".*"}


class Producer:
    """Submits to a service with one agent, and sees what comes of it."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.http = service.http
        self.runs: list[str] = []

    async def submit(self, **more: Any) -> Any:
        return await self.http.post("/tasks/submit", json={"task_data": {}, **more})

    async def ends(self, task_id: str) -> None:
        async def ended() -> bool:
            answer = await self.http.get(f"/tasks/{task_id}")
            return answer.status_code == 200 and answer.json()["task"]["state"] == "completed"

        await eventually(ended, timeout=90)

    async def runs_again(self, **more: Any) -> None:
        """Submitting succeeds without anybody's help, and the task runs."""

        async def taken() -> str | None:
            answer = await self.submit(**more)
            assert answer.status_code in (200, 503), answer.text
            return str(answer.json()["task_id"]) if answer.status_code == 200 else None

        task_id = await eventually(taken, timeout=90)
        await self.ends(task_id)

        async def well() -> bool:
            return bool((await self.http.get("/health")).json()["status"] == "healthy")

        await eventually(well, timeout=60)

    async def is_told(self, words: str) -> None:
        """A submission is refused with these words, and so says the service of itself."""

        async def refused() -> bool:
            answer = await self.submit()
            if answer.status_code == 200:
                return False
            assert answer.status_code == 503, answer.text
            body = answer.json()
            if body["detail"] != "Task distributor not available":
                assert "it may have been accepted" in body["detail"]
                return False
            return bool(body["reason"])

        async def unwell() -> bool:
            answer = (await self.http.get("/health")).json()
            return answer["status"] == "degraded" and words in " ".join(answer["problems"])

        await eventually(refused, timeout=60)
        await eventually(unwell, timeout=60)


@asynccontextmanager
async def producing(broker: Broker, folder: Path, **settings: Any) -> AsyncIterator[Producer]:
    async with serving(broker, folder, **settings) as service:
        producer = Producer(service)
        agent = service.agent()

        @agent.default
        async def work(task: Task) -> None:
            producer.runs.append(task.id)

        async with agent.running():
            await producer.runs_again()
            yield producer


@pytest.fixture
async def limited(broker: Broker) -> AsyncIterator[Broker]:
    """The same virtual host, as a user of the test's own sees it."""
    user = f"user-{broker.vhost}"
    await broker.management.put("users", user, body={"password": "secret", "tags": ""})
    await broker.management.put("permissions", broker.vhost, user, body=EVERYTHING)
    parts = urlsplit(broker.url)
    login = f"{quote(user, safe='')}:secret@{parts.hostname}:{parts.port}"
    try:
        yield Broker(
            urlunsplit(parts._replace(netloc=login)),
            broker.management,
            vhost=broker.vhost,
            name=broker.name,
            version=broker.version,
        )
    finally:
        await broker.management.delete("users", user)


async def test_a_virtual_host_is_deleted_and_created_again(broker: Broker, tmp_path: Path) -> None:
    async with producing(broker, tmp_path) as producer:
        await broker.management.delete("vhosts", broker.vhost)
        await producer.is_told("check that the virtual host exists")
        await broker.management.create_vhost(broker.vhost)
        await producer.runs_again()


async def test_a_users_permission_is_revoked_and_given_again(
    limited: Broker, tmp_path: Path
) -> None:
    async with producing(limited, tmp_path) as producer:
        user = urlsplit(limited.url).username or ""
        nothing = {"configure": "^$", "write": "^$", "read": "^$"}
        await limited.management.put("permissions", limited.vhost, user, body=nothing)
        await all_closed(limited)
        await producer.is_told("refuses this user")
        await limited.management.put("permissions", limited.vhost, user, body=EVERYTHING)
        await producer.runs_again()


async def test_a_queue_of_tasks_is_deleted_by_hand(broker: Broker, tmp_path: Path) -> None:
    async with producing(broker, tmp_path) as producer:
        await broker.delete_queue(NORMAL.queue)
        await producer.runs_again()
        assert len(producer.runs) == 2


async def test_the_log_is_deleted_by_hand(broker: Broker, tmp_path: Path) -> None:
    async with producing(broker, tmp_path) as producer:
        await broker.delete_queue(LOG)
        for _ in range(5):
            await producer.runs_again()


async def test_everything_is_deleted_by_hand(broker: Broker, tmp_path: Path) -> None:
    async with producing(broker, tmp_path) as producer:
        lasting = [name for name in await broker.queues() if name.startswith(("tasks", "coord"))]
        for queue in lasting:
            await broker.delete_queue(queue)
        for exchange in TOPOLOGY.exchanges:
            await broker.management.delete("exchanges", broker.vhost, exchange.name)
        await producer.runs_again()


async def test_somebody_else_declares_a_queue_of_tasks_otherwise(
    broker: Broker, tmp_path: Path
) -> None:
    of_another_kind = {"durable": True, "arguments": {}}
    async with producing(broker, tmp_path) as producer:
        queue = Source("any", Priority.HIGH).queue
        await broker.management.put("queues", broker.vhost, queue, body=of_another_kind)
        answer = await producer.submit(priority="high")
        assert answer.status_code == 503
        assert "Delete this on the broker" in answer.json()["reason"]
        assert queue in answer.json()["reason"]
        assert (await producer.submit()).status_code == 200, "the others go on"
        await broker.delete_queue(queue)
        await producer.runs_again(priority="high")


async def test_somebody_else_declares_the_log_otherwise(broker: Broker, tmp_path: Path) -> None:
    of_another_kind = {"durable": True, "arguments": {}}
    async with producing(broker, tmp_path) as producer:
        await broker.delete_queue(LOG)
        await broker.management.put("queues", broker.vhost, LOG, body=of_another_kind)
        await all_closed(broker)
        await producer.is_told(f"queue '{LOG}'")
        await broker.delete_queue(LOG)
        await producer.runs_again()


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_alarms_and_whatever_hangs_are_told_and_pass(
    own_broker: OwnBroker, tmp_path: Path
) -> None:
    """One after the other, since each starts where the one before has ended."""
    quick = timedelta(seconds=3)
    async with producing(own_broker, tmp_path, publish_timeout=quick) as producer:
        await own_broker.ctl("set_vm_memory_high_watermark", "absolute", "1")
        await producer.is_told("short of memory or disk")
        await own_broker.ctl("set_vm_memory_high_watermark", "0.6")
        await producer.runs_again()

        log = f"'%2F_{LOG}'"
        await own_broker.ctl("eval", f"sys:suspend({log}).")
        unknown = await told_to_be_unknown(producer)
        await own_broker.ctl("eval", f"sys:resume({log}).")
        for task_id in unknown:
            await producer.ends(task_id)
        await producer.runs_again()

        before = len(producer.runs)
        await own_broker.suspend()
        unknown = await told_to_be_unknown(producer)
        await own_broker.resume()
        await producer.runs_again()
        assert len(producer.runs) <= before + len(unknown) + 1


async def all_closed(broker: Broker) -> None:
    """Those of the service and of its agent: two each, once the management API tells of them."""

    async def known() -> bool:
        return len(await broker.connections()) >= 4

    await eventually(known, timeout=60)
    await broker.close_connections()


async def told_to_be_unknown(producer: Producer) -> list[str]:
    """Submit until nothing more is sent; the tasks that may have been accepted."""
    unknown: list[str] = []

    async def refused_at_once() -> bool:
        answers = await asyncio.gather(*(producer.submit() for _ in range(4)))
        for answer in answers:
            assert answer.status_code == 503, answer.text
            body = answer.json()
            if "task_id" in body:
                assert "it may have been accepted: ask GET /tasks/" in body["detail"]
                unknown.append(body["task_id"])
        return any("nothing was sent" in answer.text for answer in answers)

    await eventually(refused_at_once, timeout=90)
    return unknown
