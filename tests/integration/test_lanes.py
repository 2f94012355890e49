"""Lanes that nobody serves close none to others, and an operator can retire one, on a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from consumers import Agent, Task
from coordinator.bootstrap import Replacements, Timings, running
from coordinator.settings import Settings
from tests.contract.fakes import over
from tests.support.broker import Broker
from tests.support.waiting import eventually

GPU = {"capabilities": ["gpu"]}
TYPO = {"capabilities": ["gup"]}
QUEUE = "tasks.cap:gup.normal"


@asynccontextmanager
async def client_of(
    broker: Broker, folder: Path, *, pause: float = 0.1, **settings: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """Of a whole coordinator."""
    given = Settings(amqp_url=broker.url, data_dir=folder, projector="same", **settings)
    replacements = Replacements(timings=Timings(retirement_pause=pause))
    async with running(given, replacements) as coordinator, over(coordinator.app) as http:
        await coordinator.ready()
        yield http


def agent(broker: Broker, folder: Path, *capabilities: str) -> Agent:
    agent = Agent("ada", amqp_url=broker.url, cache_dir=folder, capabilities=capabilities)

    @agent.default
    async def work(task: Task) -> str:
        return task.id

    return agent


async def submit(http: httpx.AsyncClient, requirements: dict[str, Any]) -> httpx.Response:
    body = {"task_data": {}, "requirements": requirements}
    return await http.post("/tasks/submit", json=body)


async def submitted(http: httpx.AsyncClient, requirements: dict[str, Any]) -> str:
    answer = await submit(http, requirements)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["task_id"])


async def state_of(http: httpx.AsyncClient, task_id: str) -> str:
    return str((await http.get(f"/tasks/{task_id}")).json()["task"]["state"])


async def test_a_loop_of_typing_errors_closes_no_lane_to_those_who_make_none(
    broker: Broker, tmp_path: Path
) -> None:
    limits = {"max_lanes": 8, "max_unserved_lanes": 5, "max_absent_agents": 3}
    async with (
        client_of(broker, tmp_path, **limits) as http,
        agent(broker, tmp_path / "ada", "gpu", "a", "b").running(),
    ):
        answers = [await submit(http, {"capabilities": [f"gup-{n}"]}) for n in range(12)]
        assert [one.status_code for one in answers] == [200] * 5 + [422] * 7
        assert "COORDINATOR_MAX_UNSERVED_LANES" in answers[-1].json()["detail"]
        answers = [await submit(http, {"agent_id": f"ada-{n}"}) for n in range(6)]
        assert [one.status_code for one in answers] == [200] * 3 + [422] * 3
        assert "COORDINATOR_MAX_ABSENT_AGENTS" in answers[-1].json()["detail"]

        async def is_known() -> bool:
            return (await submit(http, {"agent_id": "ada"})).status_code == 200

        await eventually(is_known)
        honest = [
            {"capabilities": names} for names in (["gpu"], ["a"], ["b"], ["a", "b"], ["a", "gpu"])
        ]
        tasks = [await submitted(http, wanted) for wanted in honest]
        for task_id in tasks:
            await eventually(partial(has_state, http, task_id, "completed"))


async def has_state(http: httpx.AsyncClient, task_id: str, state: str) -> bool:
    return await state_of(http, task_id) == state


async def test_an_operator_retires_a_lane_once_it_has_no_task_and_it_makes_room_at_once(
    broker: Broker, tmp_path: Path
) -> None:
    async with client_of(broker, tmp_path, max_unserved_lanes=1) as http:
        task_id = await submitted(http, TYPO)
        assert (await submit(http, {"capabilities": ["pgu"]})).status_code == 422
        refused = await http.post("/tasks/queues/lanes/cap:gup/retire")
        assert refused.status_code == 409
        assert "on tasks.cap:gup.normal: let them end" in refused.json()["detail"]
        assert QUEUE in await broker.queues()
        assert (await http.post(f"/tasks/{task_id}/cancel")).status_code == 200

        async def retired() -> Any:
            answer = await http.post("/tasks/queues/lanes/cap%3Agup/retire")
            return answer.status_code == 200 and answer.json()

        told = await eventually(retired)
        assert (told["lane"], told["queues"]) == ("cap:gup", [QUEUE])
        assert (await submit(http, {"capabilities": ["pgu"]})).status_code == 200

        async def gone() -> bool:
            return QUEUE not in await broker.queues()

        await eventually(gone)


async def test_a_task_that_comes_while_its_lane_is_retired_by_request_is_not_lost(
    broker: Broker, tmp_path: Path
) -> None:
    async with (
        client_of(broker, tmp_path, pause=1.0) as http,
        agent(broker, tmp_path / "ada", "gup").running(),
    ):
        first = await submitted(http, TYPO)
        await eventually(lambda: has_state(http, first, "completed"))

        async def retired() -> bool:
            return (await http.post("/tasks/queues/lanes/cap:gup/retire")).status_code == 200

        await eventually(retired)
        tasks = [await submitted(http, TYPO)]
        for _ in range(30):  # until the queue was deleted, or kept
            await asyncio.sleep(0.05)
            tasks.append(await submitted(http, TYPO))
        for task_id in tasks:
            await eventually(partial(has_state, http, task_id, "completed"), timeout=30)


@pytest.mark.parametrize(
    ("lane", "status", "words"),
    [
        ("cap:nobody", 404, "Lane not found: GET /tasks/queues/stats"),
        ("any", 409, "The lane 'any' is open to all tasks, and stays"),
    ],
)
@pytest.mark.any_broker
async def test_what_is_no_lane_or_must_stay_is_told(
    broker: Broker, tmp_path: Path, lane: str, status: int, words: str
) -> None:
    async with client_of(broker, tmp_path) as http:
        await submitted(http, {})
        answer = await http.post(f"/tasks/queues/lanes/{lane}/retire")
        assert answer.status_code == status
        told = answer.json()
        assert (told.get("message") or told["detail"]).startswith(words)
        unknown = await http.post(f"/tasks/queues/lanes/{lane}/retire", json={"dry_run": True})
        assert unknown.status_code == 422


async def test_an_empty_lane_that_nobody_ever_served_is_given_up_before_the_others(
    broker: Broker, tmp_path: Path
) -> None:
    early = timedelta(seconds=0.4)
    async with (
        client_of(broker, tmp_path, retire_unserved_lanes_after=early) as http,
        agent(broker, tmp_path / "ada", "gpu").running(),
    ):
        for wanted in ({}, GPU):  # what the agent has done tells that the ledger knows it
            done = await submitted(http, wanted)
            await eventually(partial(has_state, http, done, "completed"))
        typo = await submitted(http, TYPO)
        assert (await http.post(f"/tasks/{typo}/cancel")).status_code == 200

        async def given_up() -> bool:
            return QUEUE not in await broker.queues()

        await eventually(given_up, timeout=20)
        assert "tasks.cap:gpu.normal" in await broker.queues()
