"""Text that a database does not take: whoever asks for it is told that it is not there, or not valid."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from coordinator.bootstrap import running
from coordinator.settings import Settings
from tests.support.broker import Broker

from .error_bodies import said
from .fakes import Fakes, over

PATHS = (
    *("GET /tasks/{}", "GET /tasks/{}/events", "GET /tasks/{}/explain", "DELETE /tasks/{}"),
    *("GET /tasks/{}/wait?timeout=0", "POST /tasks/{}/cancel", "POST /tasks/{}/retry"),
    *("GET /agents/{}", "GET /agents/{}/tasks", "DELETE /agents/{}", "POST /agents/{}/drain"),
    *("POST /agents/{}/heartbeat", "GET /parked/{}", "POST /tasks/queues/{}/clear"),
    *("GET /schedules/{}", "DELETE /schedules/{}", "POST /schedules/{}/pause"),
    "POST /schedules/{}/resume",
)

QUERIES = (
    *("/schedules?cursor={}", "/tasks?cursor={}", "/agents?cursor={}", "/parked?cursor={}"),
    *("/tasks/dead?error_type={}", "/tasks/dead?lane={}", "/tasks/dead?task_type={}"),
    *("/tasks/dead?cursor={}", "/tasks?task_type={}", "/tasks?agent={}", "/tasks?capability={}"),
    *("/tasks?agent_type={}", "/agents?capability={}", "/agents?agent_type={}"),
)


@pytest.fixture(params=["sqlite", "postgres"])
async def http(
    broker: Broker, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[httpx.AsyncClient]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else None
    settings = Settings(amqp_url=broker.url, data_dir=tmp_path, database_url=url)
    async with running(settings) as coordinator:
        await coordinator.ready()
        async with over(coordinator.app) as client:
            yield client


@pytest.mark.any_broker
async def test_a_nul_is_in_nothing_that_could_be_asked_for(http: httpx.AsyncClient) -> None:
    for operation in PATHS:
        method, path = operation.format(quote("a\0")).split()
        answer = await http.request(method, path)
        assert answer.status_code == 404, (operation, answer.text)
    for path in QUERIES:
        answer = await http.get(path.format(quote("a\0")))
        assert answer.status_code in {200, 422}, (path, answer.text)
    wrong = ({"capabilities": ["\0"]}, {"services": ["\0"]}, {"agent_id": "\0"})
    tasks = [{"task_data": {}, "requirements": one} for one in (*wrong, {"agent_type": "\0"})]
    answer = await http.post("/tasks/submit/batch", json={"tasks": tasks})
    assert answer.status_code == 200, answer.text
    assert answer.json()["rejected"] == 4


async def test_an_unexpected_error_tells_its_first_line_and_no_statement() -> None:
    fakes = Fakes()
    fakes.failure = RuntimeError("no such place\n[SQL: SELECT secrets]")
    async with over(fakes.app()) as client:
        answer = await client.get("/tasks/a")
    assert said(answer) == {"detail": "Error getting task: no such place"}
