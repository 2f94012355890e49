"""The database stops and comes back under a running service; coordinators are suspended and killed."""

from __future__ import annotations

import asyncio
import signal
from functools import partial
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa

from coordinator.protocol.topology import LOG
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.ledger.ledger_rebuild import rebuild
from tests.e2e.processes import Process, agent_process, client, get, ready, service
from tests.support.broker import Broker
from tests.support.postgres import PostgresServer
from tests.support.waiting import eventually
from tests.unit.registry.answers import answers

DATABASE = "COORDINATOR_DATABASE_URL"


async def submit(http: httpx.AsyncClient, count: int) -> list[str]:
    sent = await asyncio.gather(
        *(http.post("/tasks/submit", json={"task_data": {"n": n}}) for n in range(count))
    )
    assert [answer.status_code for answer in sent] == [200] * count, sent[0].text
    return [answer.json()["task_id"] for answer in sent]


async def submit_until_taken(http: httpx.AsyncClient, count: int) -> None:
    """To a coordinator whose connections the broker may have given up while it was suspended: until it
    has noticed and connected again it answers 503, and what bears an id of its own is safely sent again.
    """

    async def taken(task_id: str) -> bool:
        answer = await http.post("/tasks/submit", json={"task_data": {"task_id": task_id}})
        assert answer.status_code in (200, 503), answer.text
        return answer.status_code == 200

    task_ids = [str(uuid4()) for _ in range(count)]
    await asyncio.gather(*(eventually(partial(taken, task_id), timeout=60) for task_id in task_ids))


async def all_completed(http: httpx.AsyncClient, count: int) -> None:
    async def counted() -> bool:
        answer = await http.get("/tasks/status")
        return (
            answer.status_code == 200
            and answer.json()["stats"]["tasks_distributed"] == count
            and answer.json()["stats"]["tasks_completed"] == count
        )

    await eventually(counted, timeout=60)


@pytest.mark.slow
@pytest.mark.any_broker
async def test_tasks_are_taken_and_done_while_the_database_is_away_and_told_when_it_is_back(
    broker: Broker, own_postgres: PostgresServer, tmp_path: Path
) -> None:
    environment = {DATABASE: own_postgres.url("postgres")}
    async with (
        service(broker.url, tmp_path / "service", environment=environment) as (_, base_url),
        agent_process(broker.url, tmp_path / "agent.out", "steady"),
        client(base_url) as http,
    ):
        await ready(http)
        accepted = await submit(http, 20)
        await all_completed(http, 20)

        await asyncio.to_thread(own_postgres.stop)
        accepted += await submit(http, 20)
        for path in (f"/tasks/{accepted[0]}", f"/tasks/{accepted[-1]}", "/tasks/status"):
            answer = await http.get(path)
            assert answer.status_code == 503
            assert answer.json()["detail"].startswith("The database cannot be used right now")
            assert int(answer.headers["Retry-After"]) >= 1
        assert (await get(http, "/agents/steady"))["agent"]["agent_id"] == "steady"
        health = await get(http, "/health")
        assert health["status"] == "degraded"
        assert health["problems"][0].startswith("The database cannot be used right now")
        assert (await http.get("/health/ready")).status_code == 200
        await eventually(lambda: worked_off(broker), timeout=30)

        await asyncio.to_thread(own_postgres.start)
        await all_completed(http, 40)
        for task_id in accepted:
            assert (await get(http, f"/tasks/{task_id}"))["task"]["state"] == "completed"

        async def healthy() -> bool:
            return bool((await get(http, "/health"))["status"] == "healthy")

        await eventually(healthy, timeout=15)


async def worked_off(broker: Broker) -> bool:
    return await broker.depth("tasks.any.normal") == 0


@pytest.mark.slow
@pytest.mark.any_broker
@pytest.mark.timeout(300)
async def test_another_coordinator_takes_over_from_one_that_is_suspended_and_one_that_is_killed(
    broker: Broker, postgres_url: str, tmp_path: Path
) -> None:
    environment = {DATABASE: postgres_url}
    async with (
        service(broker.url, tmp_path / "1", environment=environment) as (one, one_url),
        client(one_url) as first,
    ):
        await ready(first)
        await submit(first, 20)
        await eventually(lambda: folded(postgres_url, 20), timeout=30)
        async with (
            service(broker.url, tmp_path / "2", environment=environment) as (_, two_url),
            client(two_url) as second,
        ):
            await ready(second)
            one.signal(signal.SIGSTOP)  # it reads the log now
            try:
                await submit(second, 20)
                await eventually(lambda: folded(postgres_url, 40), timeout=60)
                await submit(second, 20)
                await eventually(lambda: folded(postgres_url, 60), timeout=15)
            finally:
                one.signal(signal.SIGCONT)
            await submit_until_taken(first, 20)
            await eventually(lambda: folded(postgres_url, 80), timeout=15)
            assert (await get(second, "/tasks/status"))["stats"]["tasks_distributed"] == 80

            await killed(one)
            await submit(second, 20)
            await eventually(lambda: folded(postgres_url, 100), timeout=15)
        async with (
            service(broker.url, tmp_path / "3", environment=environment) as (three, three_url),
            client(three_url) as third,
        ):
            await ready(third)
            await submit(third, 20)
            await killed(three)  # whatever it was just folding
    async with service(broker.url, tmp_path / "4", environment=environment):
        await eventually(lambda: folded(postgres_url, 120), timeout=30)
        await eventually(lambda: empty(broker), timeout=30)
    async with Ledger(postgres_url) as ledger:
        before = await answers(ledger)
        assert len(before["tasks"]) == 120
        await ledger.write(rebuild)
        assert await answers(ledger) == before


async def killed(process: Process) -> None:
    process.signal(signal.SIGKILL)
    await process.wait()


async def folded(url: str, count: int) -> bool:
    """As the database itself has it, whoever answers."""

    def counted() -> int:
        engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
        try:
            with engine.connect() as connection:
                query = "SELECT count(DISTINCT subject) FROM events WHERE type = 'task.submitted'"
                return int(connection.exec_driver_sql(query).scalar_one())
        finally:
            engine.dispose()

    found = await asyncio.to_thread(counted)
    assert found <= count
    return found == count


async def empty(broker: Broker) -> bool:
    return await broker.depth(LOG) == 0
