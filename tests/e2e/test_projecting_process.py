"""The process that folds the log beside the one that serves dies and comes back, and both stop in order."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from functools import partial
from pathlib import Path

import httpx
import pytest

from coordinator.rabbitmq_node.free_ports import choose_port
from tests.e2e.processes import agent_process, client, get, service
from tests.support.broker import Broker
from tests.support.waiting import eventually

BEFORE, AFTER = 30, 120
"""Tasks that are accepted until the projecting process is killed, and until the end."""

OWN = {"COORDINATOR_PROJECTOR": "own"}


def children_of(pid: int) -> set[int]:
    return {int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.mark.slow
async def test_killed_under_load_it_loses_nothing_and_nobody_who_submits_or_reads_notices(
    broker: Broker, ledger_url: str, tmp_path: Path
) -> None:
    port = choose_port([], taken=set())
    environment = OWN | {"COORDINATOR_DATABASE_URL": ledger_url}
    async with (
        service(broker.url, tmp_path, port=port, environment=environment) as (parent, url),
        client(url) as http,
        agent_process(broker.url, tmp_path / "ada.out", "ada", slots=8),
    ):
        assert (await get(http, "/health"))["status"] == "healthy"
        (projecting,) = children_of(parent.pid)
        accepted: list[str] = []
        producing = asyncio.create_task(produce(http, accepted))
        await eventually(lambda: len(accepted) > BEFORE, timeout=60)
        os.kill(projecting, signal.SIGKILL)
        await asyncio.wait_for(producing, 60)
        another = await eventually(lambda: children_of(parent.pid) - {projecting}, timeout=60)

        waits = (get(http, f"/tasks/{one}/wait?timeout=60") for one in accepted)
        ends = await asyncio.gather(*waits)
        assert {one["task"]["state"] for one in ends} == {"completed"}
        stats = (await get(http, "/tasks/status"))["stats"]
        assert stats["tasks_distributed"] == stats["tasks_completed"] == len(accepted)
        parent.signal(signal.SIGTERM)
        assert await parent.wait() == 0
    assert "Traceback" not in parent.printed
    assert not any(alive(pid) for pid in another)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))


async def produce(http: httpx.AsyncClient, accepted: list[str]) -> None:
    """One after another; each is there for its producer at once."""
    while len(accepted) < BEFORE + AFTER:
        answer = await http.post("/tasks/submit", json={"task_data": {"n": len(accepted)}})
        assert answer.status_code == 200, answer.text
        accepted.append(answer.json()["task_id"])
        assert (await http.get(f"/tasks/{accepted[-1]}")).status_code == 200


@pytest.mark.slow
@pytest.mark.any_broker
async def test_while_it_does_not_run_health_says_so_and_tasks_are_accepted(
    broker: Broker, tmp_path: Path
) -> None:
    """Stopped, it keeps its connection for as long as the broker takes to miss its heartbeats."""
    async with (
        service(f"{broker.url}?heartbeat=2", tmp_path, environment=OWN) as (parent, url),
        client(url) as http,
    ):
        (projecting,) = children_of(parent.pid)
        os.kill(projecting, signal.SIGSTOP)
        problems = await eventually(partial(problems_of, http), timeout=60)
        assert "No process reads coordinator.log" in problems[0]
        assert (await http.post("/tasks/submit", json={"task_data": {}})).status_code == 200
        os.kill(projecting, signal.SIGCONT)

        async def well() -> bool:
            return not await problems_of(http)

        await eventually(well, timeout=60)


async def problems_of(http: httpx.AsyncClient) -> list[str]:
    problems: list[str] = (await get(http, "/health")).get("problems", [])
    return problems


@pytest.mark.any_broker
async def test_killed_with_the_process_that_serves_it_is_gone(
    broker: Broker, tmp_path: Path
) -> None:
    async with service(broker.url, tmp_path, environment=OWN) as (parent, _):
        (projecting,) = children_of(parent.pid)
        parent.signal(signal.SIGKILL)
        assert await parent.wait() == -signal.SIGKILL
        await eventually(lambda: not alive(projecting), timeout=10)
