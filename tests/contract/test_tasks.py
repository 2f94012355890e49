"""Tasks and queues over HTTP, on the whole service."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from coordinator.bootstrap import Coordinator, running
from coordinator.errors import LedgerUnavailable
from coordinator.registry.stores.idempotency_keys import IdempotencyKeys
from coordinator.settings import Settings
from tests.support.broker import Broker, OwnBroker
from tests.support.control_queue import control_queue_of
from tests.support.waiting import eventually

from .fakes import over
from .openapi_document.exploring import explore

PRIORITIES = ["urgent", "critical", "high", "normal", "low"]


async def submit(http: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    body = {"task_data": {"model": "llama2", "prompt": "test prompt"}, "priority": "normal"}
    answer = await http.post("/tasks/submit", json=body | fields)
    assert answer.status_code == 200, answer.text
    accepted: dict[str, Any] = answer.json()
    return accepted


async def sizes(http: httpx.AsyncClient) -> dict[str, int]:
    answer = await http.get("/tasks/queues")
    assert answer.status_code == 200, answer.text
    found: dict[str, int] = answer.json()["queue_sizes"]
    return found


async def test_a_submitted_task_can_be_looked_up_at_once(http: httpx.AsyncClient) -> None:
    data = {"model": "llama2", "prompt": "test prompt", "parameters": {"a": None, "b": [1.5]}}
    accepted = await submit(
        http,
        task_data=data,
        priority="High",
        requirements={"capabilities": ["b", "a"], "agent_type": "worker"},
        timeout_seconds=30,
        metadata={"team": "a"},
    )
    assert UUID(accepted["task_id"]).version == 7

    answer = await http.get(f"/tasks/{accepted['task_id']}")

    assert answer.status_code == 200, answer.text
    task = answer.json()["task"]
    assert task["task_data"] == data
    assert task["requirements"] == {"capabilities": ["a", "b"], "agent_type": "worker"}
    assert (task["state"], task["priority"], task["metadata"]) == ("queued", "high", {"team": "a"})
    assert (task["attempt"], task["generation"], task["agent_id"]) == (1, 1, None)
    assert (task["started_at"], task["ended_at"]) == (None, None)
    assert task["submitted_at"] == accepted["submitted_at"]
    assert datetime.fromisoformat(task["submitted_at"]).utcoffset() == timedelta(0)


async def test_a_scheduled_task_is_told_as_scheduled_at_once_and_waits_on_no_queue(
    http: httpx.AsyncClient,
) -> None:
    options = {"delay_seconds": 3600, "expires_at": "2999-01-01T00:00:00+02:00"}
    refused = await http.post("/tasks/submit", json={"task_data": {}} | options)
    assert refused.status_code == 422
    assert refused.json()["detail"].startswith("expires_at is too far away: at most ")

    accepted = await submit(http, delay_seconds=3600, expires_in_seconds=7200)

    assert accepted["state"] == "scheduled"
    task = (await http.get(f"/tasks/{accepted['task_id']}")).json()["task"]
    assert (task["state"], task["not_before"]) == ("scheduled", accepted["not_before"])
    due, submitted = (datetime.fromisoformat(task[name]) for name in ("not_before", "submitted_at"))
    assert due - submitted == timedelta(hours=1)
    assert datetime.fromisoformat(task["expires_at"]) - submitted == timedelta(hours=2)
    assert (await sizes(http))["normal"] == 0


@pytest.mark.any_broker
async def test_null_options_are_as_good_as_none(http: httpx.AsyncClient) -> None:
    options = dict.fromkeys(
        [
            "max_attempts",
            "backoff",
            "timeout_seconds",
            "progress_timeout_seconds",
            "delay_seconds",
            "not_before",
            "expires_in_seconds",
            "expires_at",
        ]
    )
    accepted = await submit(http, **options)
    assert "state" not in accepted
    assert (await sizes(http))["normal"] == 1


@pytest.mark.parametrize("path", ["/tasks/submit", "/tasks/submit/batch"])
async def test_a_request_that_was_cut_off_is_finished_by_a_repetition_and_queued_once(
    service: Coordinator,
    http: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    path: str,
) -> None:
    """Killed between the publish and the note of it: what is left is a claim and the tasks."""
    task = {"task_data": {"prompt": "test prompt"}}
    body = task if path == "/tasks/submit" else {"tasks": [task, task]}
    headers = {"Idempotency-Key": "the first"}

    async def killed(*_: object) -> None:
        raise LedgerUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(IdempotencyKeys, "finish", killed)
        first = await http.post(path, json=body, headers=headers)
    assert first.status_code == 200, first.text
    with sqlite3.connect(tmp_path / "ledger.sqlite3") as ledger:
        ledger.execute("UPDATE idempotency_keys SET held_until = 0")

    second = await http.post(path, json=body, headers=headers)
    third = await http.post(path, json=body, headers=headers)

    for answer in (second, third):
        assert without_time(answer.json()) == without_time(first.json())
    assert "Idempotency-Replayed" not in second.headers
    assert third.headers["Idempotency-Replayed"] == "true"
    assert (await sizes(http))["normal"] == len(body.get("tasks", [task]))


def without_time(answer: dict[str, Any]) -> dict[str, Any]:
    """When it was answered is not part of what was answered."""
    return {name: value for name, value in answer.items() if name != "timestamp"}


async def test_queue_sizes_are_exact_right_after_the_answer(http: httpx.AsyncClient) -> None:
    for count, priority in enumerate(PRIORITIES):
        for n in range(count):
            wanted = {"capabilities": ["gpu"]} if n % 2 else {}
            await submit(http, priority=priority, requirements=wanted)
    expected = {priority: count for count, priority in enumerate(PRIORITIES)}
    assert await sizes(http) == expected
    stats = (await http.get("/tasks/status")).json()["stats"]
    assert stats["queue_sizes"] == expected
    assert list(stats["queue_sizes"]) == PRIORITIES
    assert stats["tasks_distributed"] == 10
    detailed = (await http.get("/tasks/queues/stats")).json()
    assert {queue["queue"]: queue["ready"] for queue in detailed["queues"]} == {
        "tasks.any.critical": 1,
        "tasks.any.high": 1,
        "tasks.cap:gpu.high": 1,
        "tasks.any.normal": 2,
        "tasks.cap:gpu.normal": 1,
        "tasks.any.low": 2,
        "tasks.cap:gpu.low": 2,
    }
    assert detailed["queues"][-1]["requirements"] == {"capabilities": ["gpu"]}
    low = detailed["priorities"]["low"]
    assert (low["queues"], low["ready"], low["consumers"]) == (2, 4, 0)


@pytest.mark.any_broker
async def test_queue_statistics_tell_how_long_tasks_wait_and_who_listens(
    http: httpx.AsyncClient, broker: Broker
) -> None:
    async with control_queue_of("ada", broker.url), control_queue_of("bob", broker.url):
        await _statistics_tell_who_listens(http)


async def _statistics_tell_who_listens(http: httpx.AsyncClient) -> None:
    """Where ada and bob have control queues, and eve has none."""
    for agent_id, capabilities in (("ada", ["gpu"]), ("bob", []), ("eve", ["gpu"])):
        told = {"agent_id": agent_id, "agent_type": "worker", "capabilities": capabilities}
        assert (await http.post("/agents/register", json=told)).status_code == 200
    await submit(http, requirements={"capabilities": ["gpu"]})
    await submit(http, priority="low")
    ada = await submit(http, requirements={"agent_id": "ada"})
    await http.put("/agents/bob/status", json={"status": "maintenance"})

    async def listening() -> dict[str, int]:
        found = (await http.get("/tasks/queues/stats")).json()
        assert all(queue["oldest_waiting_seconds"] >= 0 for queue in found["queues"])
        assert found["priorities"]["low"]["oldest_waiting_seconds"] >= 0
        assert found["priorities"]["high"]["oldest_waiting_seconds"] is None
        return {queue["queue"]: queue["listening"] for queue in found["queues"]}

    assert await listening() == {
        "tasks.any.low": 1,
        "tasks.cap:gpu.normal": 1,
        "tasks.agent:ada.normal": 1,
    }
    await http.post(f"/tasks/{ada['task_id']}/cancel")

    async def nobody_waits() -> bool:
        found = (await http.get("/tasks/queues/stats")).json()["queues"]
        ages = {queue["queue"]: queue["oldest_waiting_seconds"] for queue in found}
        return ages["tasks.agent:ada.normal"] is None and None not in (
            ages["tasks.any.low"],
            ages["tasks.cap:gpu.normal"],
        )

    await eventually(nobody_waits)


@pytest.mark.any_broker
async def test_the_statistics_of_a_new_service_are_all_zero(http: httpx.AsyncClient) -> None:
    stats = (await http.get("/tasks/status")).json()["stats"]
    balancer = stats.pop("load_balancer_stats")
    assert set(stats.pop("queue_sizes").values()) == {0}
    assert stats == {
        "tasks_distributed": 0,
        "tasks_completed": 0,
        "tasks_failed": 0,
        "avg_distribution_time": 0.0,
    }
    assert balancer.pop("strategy") == "least_connections"
    assert set(balancer.values()) == {0}


async def test_a_task_id_in_the_data_is_echoed_and_repeating_is_safe(
    http: httpx.AsyncClient,
) -> None:
    data = {"task_id": "my/task", "prompt": "test prompt"}
    first = await submit(http, task_data=data)
    assert first["task_id"] == "my/task"

    assert await submit(http, task_data=data) == first
    assert (await sizes(http))["normal"] == 1
    assert (await http.get("/tasks/my%2Ftask")).json()["task"]["task_data"] == data

    other = await http.post("/tasks/submit", json={"task_data": data | {"prompt": "another"}})
    assert other.status_code == 409
    assert "my/task" in other.json()["detail"]


@pytest.mark.any_broker
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"task_data": {"task_id": "a\nb"}}, "task_data.task_id"),
        ({"task_data": {"task_id": 5}}, "task_data.task_id"),
        ({"task_data": {"a": 1e999}}, "task_data"),
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"timeout_seconds": 1e9}, "timeout_seconds"),
        (
            {"requirements": {"capabilities": [f"c{n}" for n in range(33)]}},
            "requirements.capabilities",
        ),
        ({"requirements": {"capabilities": ["x" * 129]}}, "requirements.capabilities"),
        ({"requirements": {"agent_id": "a\tb"}}, "requirements.agent_id"),
    ],
)
async def test_a_value_beyond_its_limit_is_a_422_that_names_the_field(
    http: httpx.AsyncClient, fields: dict[str, Any], field: str
) -> None:
    body = json_with_infinity({"task_data": {}} | fields)
    answer = await http.post(
        "/tasks/submit", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert field in answer.json()["detail"]
    assert sum((await sizes(http)).values()) == 0


def json_with_infinity(body: dict[str, Any]) -> bytes:
    return json.dumps(body).replace("Infinity", "1e999").encode()


@pytest.mark.any_broker
async def test_data_nested_too_deep_is_a_422(http: httpx.AsyncClient) -> None:
    data: dict[str, Any] = {}
    for _ in range(32):
        data = {"a": data}
    answer = await http.post("/tasks/submit", json={"task_data": data})
    assert answer.status_code == 422
    assert answer.json()["detail"] == "task_data is nested deeper than 32 levels"
    await submit(http, task_data=data["a"])


@pytest.mark.any_broker
async def test_more_requirement_sets_than_the_limit_are_a_422(
    broker: Broker, tmp_path: Path
) -> None:
    settings = Settings(amqp_url=broker.url, data_dir=tmp_path, max_lanes=1)
    async with running(settings) as coordinator, over(coordinator.app) as http:
        await coordinator.ready()
        await submit(http, requirements={"capabilities": ["a"]})
        answer = await http.post(
            "/tasks/submit", json={"task_data": {}, "requirements": {"capabilities": ["b"]}}
        )
        assert answer.status_code == 422
        assert "COORDINATOR_MAX_LANES" in answer.json()["detail"]
        await submit(http)
        await submit(http, requirements={"agent_id": "hermes-agent"})


async def test_clearing_a_priority_ends_its_tasks_and_no_others(http: httpx.AsyncClient) -> None:
    low = [await submit(http, priority="low") for _ in range(3)]
    low.append(await submit(http, priority="low", requirements={"capabilities": ["gpu"]}))
    high = await submit(http, priority="high")

    answer = await http.post("/tasks/queues/LOW/clear")

    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["priority"], body["cleared_count"]) == ("low", 4)
    assert body["message"] == "Cleared 4 tasks from low queue"
    for accepted in low:
        task = (await http.get(f"/tasks/{accepted['task_id']}")).json()["task"]
        assert (task["state"], task["error"]["message"]) == ("cancelled", "cleared")
        assert task["ended_at"] is not None
    assert (await http.get(f"/tasks/{high['task_id']}")).json()["task"]["state"] == "queued"
    assert (await sizes(http)) == dict.fromkeys(PRIORITIES, 0) | {"high": 1}
    assert (await http.post("/tasks/queues/low/clear")).json()["cleared_count"] == 0


async def test_a_service_that_starts_again_knows_its_tasks_agents_and_queues(
    broker: Broker, tmp_path: Path
) -> None:
    settings = Settings(amqp_url=broker.url, data_dir=tmp_path)
    async with running(settings) as coordinator, over(coordinator.app) as http:
        await coordinator.ready()
        accepted = await submit(http, requirements={"capabilities": ["gpu"]})
        await http.post("/agents/register", json={"agent_id": "a", "agent_type": "worker"})
    async with running(settings) as coordinator, over(coordinator.app) as http:
        await coordinator.ready()

        async def known() -> bool:
            paths = (f"/tasks/{accepted['task_id']}", "/agents/a")
            return all([(await http.get(path)).status_code == 200 for path in paths])

        await eventually(known)
        assert (await sizes(http))["normal"] == 1


async def test_while_the_broker_is_away_submissions_are_503_and_come_back_by_themselves(
    own_broker: OwnBroker, tmp_path: Path
) -> None:
    settings = Settings(amqp_url=own_broker.url, data_dir=tmp_path)
    async with running(settings) as coordinator, over(coordinator.app) as http:
        await coordinator.ready()
        accepted = await submit(http)
        await eventually(lambda: folded(http))
        await own_broker.stop()

        async def degraded() -> bool:
            return bool((await http.get("/health")).json()["status"] == "degraded")

        await eventually(degraded)
        answer = await http.post("/tasks/submit", json={"task_data": {}})
        assert answer.status_code == 503
        assert answer.json()["detail"] == "Task distributor not available"
        assert int(answer.headers["Retry-After"]) > 0
        for path in ("/tasks/status", "/tasks/queues", "/tasks/queues/stats"):
            answer = await http.get(path)
            assert (answer.status_code, answer.json()["detail"]) == (
                503,
                "Task distributor not available",
            )
        assert (await http.post("/tasks/queues/low/clear")).status_code == 503
        assert (await http.get("/health/live")).status_code == 200
        assert (await http.get("/health/ready")).status_code == 503
        assert (await http.get("/health")).json()["problems"]
        assert (await http.get(f"/tasks/{accepted['task_id']}")).status_code == 200

        await own_broker.start()

        async def ready() -> bool:
            return (await http.get("/health/ready")).status_code == 200

        await eventually(ready, timeout=60)
        await submit(http)
        assert (await sizes(http))["normal"] == 2
        assert (await http.get("/health")).json()["status"] == "healthy"


async def folded(http: httpx.AsyncClient) -> bool:
    """Whether the one task was folded, so that it is known without the broker."""
    stats = (await http.get("/tasks/status")).json()["stats"]
    return bool(stats["tasks_distributed"] == 1)


@pytest.mark.any_broker
@pytest.mark.slow
async def test_no_request_that_can_be_made_up_makes_the_whole_service_fail(
    broker: Broker, tmp_path: Path
) -> None:
    settings = Settings(amqp_url=broker.url, data_dir=tmp_path, max_lanes=5)
    async with running(settings) as coordinator:
        await coordinator.ready()
        (statuses,) = await explore(coordinator.app, examples=15)
        assert statuses.total() > 200
        await asyncio.wait_for(coordinator.ready(), 60)
