"""Several coordinators on one broker and one ledger: alike in every answer, and none is missed."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.processes import agent_process, client, get, ready, service, spawned
from tests.support.broker import Broker
from tests.support.waiting import eventually

WORKERS = {"COORDINATOR_HTTP_WORKERS": "3", "COORDINATOR_PROJECTOR": "own"}
HERMES = {"agent_id": "hermes", "agent_type": "worker", "capabilities": ["analysis"]}


def workers_of(pid: int, *, duty: str = "serving") -> set[int]:
    """The processes that this one started for this duty."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {int(one) for one in found if duty.encode() in command_of(int(one))}


def command_of(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:  # it has ended
        return []


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def on_new_connections(url: str, method: str, path: str, times: int) -> list[httpx.Response]:
    """So that they reach every worker."""

    async def ask() -> httpx.Response:
        async with client(url) as http:
            return await http.request(method, path)

    return await asyncio.gather(*(ask() for _ in range(times)))


def statuses(answers: Iterable[httpx.Response]) -> set[int]:
    return {answer.status_code for answer in answers}


async def stats(http: httpx.AsyncClient) -> dict[str, Any]:
    found: dict[str, Any] = (await get(http, "/tasks/status"))["stats"]
    return found


@pytest.mark.slow
async def test_workers_and_a_second_coordinator_answer_alike_and_take_over_from_each_other(
    broker: Broker, tmp_path: Path
) -> None:
    folder, work = tmp_path / "service", tmp_path / "agent.out"
    async with (
        service(broker.url, folder) as (alone, other_url),
        service(broker.url, folder, environment=WORKERS) as (parent, url),
        client(other_url) as other,
        client(url) as http,
    ):
        await ready(other)
        await ready(http)
        assert statuses(await on_new_connections(url, "GET", "/health/ready", 60)) == {200}
        workers = await eventually(lambda: three(workers_of(parent.pid)))
        assert len(workers_of(parent.pid, duty="projecting")) == 1

        # An agent of HTTP alone: registered through one, alive through all.
        assert (await other.post("/agents/register", json=HERMES)).status_code == 200
        for method, path in (("GET", "/agents/hermes"), ("POST", "/agents/hermes/heartbeat")):
            assert statuses(await on_new_connections(url, method, path, 30)) == {200}

        # Whatever one accepts, any other tells of at once.
        accepted: list[str] = []
        for number in range(100):
            asked, told = (http, other) if number % 2 else (other, http)
            answer = await asked.post("/tasks/submit", json={"task_data": {"n": number}})
            assert answer.status_code == 200, answer.text
            accepted.append(answer.json()["task_id"])
            assert (await told.get(f"/tasks/{accepted[-1]}")).status_code == 200
        assert (await other.get("/tasks/never")).status_code == 404
        assert statuses(await on_new_connections(url, "GET", "/tasks/never", 30)) == {404}

        # One worker is killed: another takes its place, and nobody is refused meanwhile.
        victim = min(workers)
        os.kill(victim, signal.SIGKILL)
        await eventually(lambda: another_is_connected(broker, parent.pid, workers, url), timeout=60)
        assert statuses(await on_new_connections(url, "GET", "/health/ready", 30)) == {200}

        async with agent_process(broker.url, work, "steady"):
            await eventually(lambda: same_end(http, other, len(accepted)), timeout=60)

            # The one that is alone is killed: the workers go on, and fold the log.
            alone.signal(signal.SIGKILL)
            await alone.wait()

            async def submitted() -> bool:
                answer = await http.post("/tasks/submit", json={"task_data": {}})
                return answer.status_code == 200

            for _ in range(20):
                await eventually(submitted)

            async def all_done() -> bool:
                return bool((await stats(http))["tasks_completed"] == 120)

            await eventually(all_done, timeout=60)
        survivors = workers_of(parent.pid) | workers_of(parent.pid, duty="projecting")
        parent.signal(signal.SIGTERM)
        assert await parent.wait(within=60) == 0
        assert not any(alive(pid) for pid in survivors)


def three(found: set[int]) -> set[int] | None:
    return found if len(found) == 3 else None


async def another_is_connected(broker: Broker, parent: int, known: set[int], url: str) -> bool:
    """Whether a worker that was not there before has reached the broker; all answer well meanwhile."""
    assert statuses(await on_new_connections(url, "GET", "/health/ready", 30)) == {200}
    names = await broker.connections()
    new = workers_of(parent) - known
    return any(name.endswith(f"-{pid} publish") for pid in new for name in names)


async def same_end(one: httpx.AsyncClient, other: httpx.AsyncClient, count: int) -> bool:
    mine, theirs = await stats(one), await stats(other)
    return bool(mine["tasks_completed"] == count and mine == theirs)


async def test_a_worker_that_cannot_start_ends_them_all_with_what_it_said(
    broker: Broker, tmp_path: Path
) -> None:
    wrong = re.sub(r"//[^@]*@", "//nobody:nothing@", broker.url)
    command = [sys.executable, "-m", "coordinator", "serve", "--amqp-url", wrong, "--port", "0"]
    command += ["--data-dir", str(tmp_path)]
    async with spawned(*command, output=tmp_path / "out", environment=WORKERS) as parent:
        assert await parent.wait() == 1
    said = [line for line in parent.printed.splitlines() if line.startswith("coordinator:")]
    assert len(said) == 1, parent.printed
    assert "refuses this user or password" in said[0]
    assert "listening on" not in parent.printed
