"""Answers that come in pages: their fields, what may be asked, and how a wrong question is told."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import httpx
import pytest

from coordinator.domain.task import State
from coordinator.protocol.priority import Priority
from coordinator.registry.agents.in_memory.agent_filter import AgentFilter
from coordinator.registry.queries.task_filter import ANY_TASK, TaskFilter
from coordinator.registry.queries.task_pages import Place

from .error_bodies import said
from .fake_pages import WORDS
from .fakes import Fakes, a_task, an_agent, over

AT = "2026-01-31T12:00:00.123456+00:00"
PAGED = ["/tasks", "/agents", "/agents/hermes-agent/tasks", "/tasks/task-1/events", "/parked"]


@pytest.fixture
def fakes() -> Fakes:
    fakes = Fakes()
    fakes.agents["hermes-agent"] = an_agent()
    fakes.tasks["task-1"] = a_task(task_type="chat")
    return fakes


@pytest.fixture(params=["", "/v1"])
async def client(fakes: Fakes, request: pytest.FixtureRequest) -> AsyncIterator[httpx.AsyncClient]:
    async with over(fakes.app()) as client:
        client.base_url = client.base_url.join(request.param + "/")
        yield client


def ok(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    assert datetime.fromisoformat(body.pop("timestamp")).utcoffset() == timedelta(0)
    return body


TASK = {
    "task_id": "task-1",
    "state": "completed",
    "task_type": "chat",
    "priority": "normal",
    "requirements": {},
    "lane": "any",
    "generation": 1,
    "attempt": 1,
    "max_attempts": 1,
    "submitted_at": AT,
    "expires_at": None,
    "started_at": AT,
    "ended_at": AT,
    "agent_id": "hermes-agent",
    "progress": None,
    "error": None,
    "submitted_by": None,
    "parent_id": None,
    "group": None,
    "tags": [],
}


@pytest.mark.parametrize("path", ["tasks", "agents/hermes-agent/tasks"])
async def test_tasks_are_listed_without_what_they_hold(
    client: httpx.AsyncClient, path: str
) -> None:
    assert ok(await client.get(path)) == {
        "status": "success",
        "tasks": [TASK],
        "count": 1,
        "next_cursor": None,
    }


async def test_all_filters_of_tasks_reach_the_registry(
    client: httpx.AsyncClient, fakes: Fakes
) -> None:
    await client.get("tasks")
    assert fakes.browsing.asked == (ANY_TASK, None, 50)
    query = (
        "state=queued&state=dead&priority=low&priority=urgent&agent=ada&task_type=chat"
        "&capability=gpu&capability=vision&service=documents&agent_type=worker&limit=7&parent_id=order-1"
        "&submitted_after=2026-01-31T12:00:00Z&submitted_before=2026-01-31T14:00:00+01:00"
    )
    ok(await client.get(f"tasks?{query}"))
    noon = datetime(2026, 1, 31, 12, tzinfo=UTC)
    wanted = TaskFilter(
        states=frozenset({State.QUEUED, State.DEAD}),
        priorities=frozenset({Priority.LOW, Priority.URGENT}),
        agent_id="ada",
        task_type="chat",
        agent_type="worker",
        capabilities=frozenset({"gpu", "vision"}),
        services=frozenset({"documents"}),
        since=noon,
        until=noon + timedelta(hours=1),
        parent_id="order-1",
    )
    assert fakes.browsing.asked == (wanted, None, 7)


async def test_a_timeline_is_a_list_of_events(client: httpx.AsyncClient) -> None:
    assert ok(await client.get("tasks/task-1/events")) == {
        "status": "success",
        "task_id": "task-1",
        "events": [
            {
                "event_id": "e1",
                "type": "task.progress",
                "time": AT,
                "generation": 1,
                "attempt": 2,
                "agent_id": "hermes-agent",
                "details": {"fraction": 0.5},
            }
        ],
        "count": 1,
        "next_cursor": None,
    }


async def test_waiting_tells_the_task_and_whether_it_has_ended(
    client: httpx.AsyncClient, fakes: Fakes
) -> None:
    task = (await client.get("tasks/task-1")).json()["task"]
    answer = ok(await client.get("tasks/task-1/wait"))
    assert answer == {"status": "success", "ended": True, "task": task}
    assert fakes.browsing.asked == ("task-1", timedelta(seconds=30))
    fakes.tasks["task-1"] = a_task(state="running", result=None)
    answer = ok(await client.get("tasks/task-1/wait?timeout=0.5"))
    assert (answer["ended"], answer["task"]["state"]) == (False, "running")
    assert fakes.browsing.asked == ("task-1", timedelta(seconds=0.5))


@pytest.mark.parametrize("timeout", ["-1", "61", "inf", "nan", "long", ""])
async def test_waiting_for_ever_or_less_than_nothing_is_refused(
    client: httpx.AsyncClient, timeout: str
) -> None:
    answer = await client.get("tasks/task-1/wait", params={"timeout": timeout})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("timeout: input should be ")


async def test_agents_are_listed_as_they_are_looked_up(
    client: httpx.AsyncClient, fakes: Fakes
) -> None:
    agent = (await client.get("agents/hermes-agent")).json()["agent"]
    query = "status=active&status=busy&agent_type=worker&capability=gpu&service=documents&limit=2"
    assert ok(await client.get(f"agents?{query}")) == {
        "status": "success",
        "agents": [agent],
        "count": 1,
        "total": 1,
        "next_cursor": None,
    }
    wanted = AgentFilter(
        statuses=frozenset({"active", "busy"}),
        agent_types=frozenset({"worker"}),
        capabilities=frozenset({"gpu"}),
        services=frozenset({"documents"}),
    )
    assert fakes.browsing.asked == (wanted, None, 2)


def digest(body: bytes) -> str:
    return sha256(body).hexdigest()


async def test_parked_messages_are_shown_as_text_where_they_are_and_in_base64_where_not(
    client: httpx.AsyncClient,
) -> None:
    same = {
        "received_at": AT,
        "reason": "MalformedMessage: not a task",
        "exchange": "coordinator.events",
        "routing_key": "task.ada.started",
        "author": "ada",
    }
    binary = base64.b64encode(b"\xff\x00").decode()
    text: dict[str, Any] = same | {"position": 1, "body": "não é", "encoding": "utf-8"}
    assert ok(await client.get("parked")) == {
        "status": "success",
        "parked": [
            same
            | {"position": 2, "size": 2, "sha256": digest(b"\xff\x00")}
            | {"body": binary, "encoding": "base64"},
            text | {"size": 9, "sha256": digest(WORDS)},  # its last character was cut in two
        ],
        "count": 2,
        "total": 2,
        "dropped": 3,
        "next_cursor": None,
    }
    assert ok(await client.get("parked/1")) == {
        "status": "success",
        "parked": text | {"size": 9, "sha256": digest(WORDS), "properties": {"type": "task"}},
    }


@pytest.mark.parametrize("position", ["2", "one", "-1", "1.0", "²", "9" * 30])
async def test_a_parked_message_that_is_not_there_is_a_404(
    client: httpx.AsyncClient, position: str
) -> None:
    answer = await client.get(f"parked/{position}")
    assert answer.status_code == 404
    assert answer.json()["message"] == "Parked message not found"


# --- the next page ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("tasks", Place(17, "task-1")),
        ("agents", "hermes-agent"),
        ("agents/hermes-agent/tasks", (False, Place(17, "task-1"))),
        ("tasks/task-1/events", 9),
        ("parked", 1),
    ],
)
async def test_the_next_page_begins_where_the_cursor_says(
    client: httpx.AsyncClient, fakes: Fakes, path: str, place: object
) -> None:
    fakes.browsing.more = True
    cursor = ok(await client.get(path))["next_cursor"]
    ok(await client.get(path, params={"cursor": cursor}))
    assert place in fakes.browsing.asked


@pytest.mark.parametrize("path", [*PAGED, "tasks/dead", "schedules"])
async def test_an_empty_cursor_is_the_first_page(
    client: httpx.AsyncClient, fakes: Fakes, path: str
) -> None:
    first, empty = ok(await client.get(path)), ok(await client.get(path, params={"cursor": ""}))
    assert without_time(empty) == without_time(first)


def without_time(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "timestamp"}


@pytest.mark.parametrize("path", PAGED)
@pytest.mark.parametrize(
    "cursor",
    [
        "2",
        "é",
        "bm90aGluZw",
        base64.urlsafe_b64encode(b'["other", 1]').decode(),
        base64.urlsafe_b64encode(b'["parked", 1e400]').decode(),
        base64.urlsafe_b64encode(b'["events", "\\u0000"]').decode(),
        base64.urlsafe_b64encode(b'["tasks", [99999999999999999999, "a"]]').decode(),
        base64.urlsafe_b64encode(b'["agents", "\\u0000"]').decode(),
        base64.urlsafe_b64encode(b'["agents-tasks", [true, [1]]]').decode(),
    ],
)
async def test_what_is_no_cursor_of_this_endpoint_is_refused(
    client: httpx.AsyncClient, path: str, cursor: str
) -> None:
    answer = await client.get(path[1:], params={"cursor": cursor})
    assert answer.status_code == 422
    assert answer.json()["detail"] == (
        "cursor: this is not one that this endpoint gave: use the next_cursor of the page before, or"
        " leave it out to begin anew"
    )
    assert [error["field"] for error in answer.json()["errors"]] == ["cursor"]


# --- wrong questions --------------------------------------------------------------------------


OF_TASKS = (
    "agent, agent_type, capability, cursor, group, limit, metadata, parent_id, priority, service, state,"
    " submitted_after, submitted_before, tag, task_type"
)


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("tasks", OF_TASKS),
        ("agents", "agent_type, capability, cursor, limit, listening, service, status"),
        ("agents/hermes-agent/tasks", "cursor, group, limit, metadata, state, tag"),
        ("tasks/task-1/events", "cursor, limit"),
        ("tasks/task-1/wait", "timeout"),
        ("parked", "cursor, limit"),
        ("schedules", "cursor, limit"),
        (
            "tasks/dead",
            (
                "cursor, error_type, group, lane, limit, metadata, submitted_before, submitted_from,"
                " tag, task_type"
            ),
        ),
    ],
)
async def test_an_unknown_filter_is_refused_and_told_the_known_ones(
    client: httpx.AsyncClient, path: str, known: str
) -> None:
    answer = await client.get(f"{path}?colour=red")
    assert answer.status_code == 422
    sentence = f"colour: there is no such filter here: use {known}"
    assert said(answer) == {
        "detail": sentence,
        "errors": [{"field": "colour", "message": sentence}],
    }


@pytest.mark.parametrize(
    ("path", "begins"),
    [
        ("tasks?chain_id=x", "chain_id: there is no such filter here: use agent,"),
        ("tasks?priorty=low", "priorty: there is no such filter here: did you mean priority? use"),
        ("agents?tags=blue", "tags: there is no such filter here:"),
        (
            "agents?statuss=busy&limit=0",
            "statuss: there is no such filter here: did you mean status?",
        ),
        (
            "tasks/dead?error-type=x",
            "error-type: there is no such filter here: did you mean error_t",
        ),
        (f"parked?{'x' * 5000}=1", f"{'x' * 64}: there is no such filter here: use cursor, limit"),
    ],
)
async def test_an_unknown_filter_is_told_the_nearest_known_one(
    client: httpx.AsyncClient, path: str, begins: str
) -> None:
    answer = await client.get(path)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(begins)


@pytest.mark.parametrize(
    "query",
    [
        *("agents?limit=1&limit=2", "agents?listening=true&listening=false"),
        *("tasks?agent=a&agent=b", "tasks?cursor=&cursor=", "tasks/dead?lane=a&lane=a"),
        *("schedules?limit=1&limit=1", "tasks/task-1/wait?timeout=0&timeout=1"),
    ],
)
async def test_a_filter_that_has_one_value_is_refused_where_it_comes_twice(
    client: httpx.AsyncClient, query: str
) -> None:
    name = query.partition("?")[2].partition("=")[0]
    answer = await client.get(query)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"field": name, "message": f"{name}: give it once, it has one value"}
    ]


@pytest.mark.parametrize("query", ["tasks?state=dead&state=dead&capability=a&capability=b"])
async def test_a_filter_that_has_many_values_may_come_more_than_once(
    client: httpx.AsyncClient, query: str
) -> None:
    assert (await client.get(query)).status_code == 200


async def test_every_get_that_knows_parameters_refuses_others_and_every_other_get_ignores_them(
    fakes: Fakes,
) -> None:
    fakes.tasks["x"], fakes.agents["x"] = a_task(task_id="x"), an_agent(agent_id="x")
    app = fakes.app()
    refused, ignored = set(), set()
    async with over(app) as client:
        for path, operations in app.openapi()["paths"].items():
            if "get" not in operations:
                continue
            given = {one["in"] for one in operations["get"].get("parameters", ())}
            filled = re.sub(r"\{\w+\}", "x", path)
            async with asyncio.timeout(20):  # a stream that took it would have no end
                answer = await client.get(filled, params={"_": "1769860800"})
            if "query" in given:
                assert answer.status_code == 422, path
                refused.add(path)
            else:
                plain = await client.get(filled)
                assert answer.status_code == plain.status_code < 500, path
                ignored.add(path)
    assert refused == {
        "/agents",
        "/agents/{agent_id}/tasks",
        "/callbacks",
        "/events",
        "/groups/{group_id}/wait",
        "/parked",
        "/schedules",
        "/tasks",
        "/tasks/dead",
        "/tasks/{task_id}/events",
        "/tasks/{task_id}/stream",
        "/tasks/{task_id}/wait",
    }
    assert {"/health", "/tasks/status", "/agents/{agent_id}", "/tasks/{task_id}"} <= ignored


@pytest.mark.parametrize("path", PAGED)
@pytest.mark.parametrize("limit", ["0", "-1", "201", "1000000", "many", "1.5", ""])
async def test_an_absurd_page_is_refused(client: httpx.AsyncClient, path: str, limit: str) -> None:
    answer = await client.get(path[1:], params={"limit": limit})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("limit: input should be ")


@pytest.mark.parametrize(
    ("query", "field", "said"),
    [
        ("state=lost", "state.0", "'scheduled', 'queued', 'running'"),
        ("state=queued&state=Queued", "state.1", "'completed', 'dead'"),
        ("priority=soon", "priority.0", "'urgent', 'critical', 'high', 'normal' or 'low'"),
        ("submitted_after=yesterday", "submitted_after", "valid datetime"),
        ("submitted_before=2026-01-31T12:00:00", "submitted_before", "timezone"),
        ("agent=%00", "agent", "pattern"),
        ("task_type=" + "x" * 301, "task_type", "at most 300 characters"),
    ],
)
async def test_a_value_that_a_filter_cannot_have_is_refused(
    client: httpx.AsyncClient, query: str, field: str, said: str
) -> None:
    answer = await client.get(f"tasks?{query}")
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert answer.json()["detail"].startswith(f"{field}: ")
    assert said in answer.json()["detail"]


async def test_a_status_that_no_agent_can_have_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.get("agents?status=asleep")
    assert answer.status_code == 422
    assert "'active', 'busy', 'inactive', 'stale'" in answer.json()["detail"]
