"""The answer of each endpoint when all goes well: exactly these fields, in both places."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from coordinator.broker.channel import Depth
from coordinator.protocol.priority import Priority
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.trace_context import TraceContext
from coordinator.registry.queries.queue_statistics import QueueFigures

from .fakes import NOW, Fakes, a_task, an_agent, over

AT = "2026-01-31T12:00:00.123456+00:00"

AGENT = {
    "agent_id": "hermes-agent",
    "agent_type": "worker",
    "status": "active",
    "listening": True,
    "capabilities": ["data-processing", "analysis"],
    "services": ["task-execution"],
    "task_types": ["word-count", "any"],
    "endpoints": {"http": "http://localhost:9002"},
    "metadata": {"version": "1.0.0"},
    "last_heartbeat": AT,
    "registration_time": AT,
    "load_metrics": {"cpu_usage": 0.25},
    "health_score": 1.0,
    "version": "1.0.0",
    "tags": ["blue"],
    "slots": 4,
    "free_slots": 3,
    "running_tasks": ["task-7"],
}

SIZES = {"urgent": 0, "critical": 0, "high": 0, "normal": 2, "low": 3}

STATS = {
    "tasks_distributed": 5,
    "tasks_completed": 3,
    "tasks_failed": 1,
    "avg_distribution_time": 0.25,
    "load_balancer_stats": {
        "strategy": "least_connections",
        "total_assignments": 4,
        "successful_assignments": 3,
        "failed_assignments": 1,
        "success_rate": 0.75,
        "active_agents": 2,
        "listening_agents": 1,
        "agent_weights": 0,
        "avg_agent_load": 0.5,
    },
    "queue_sizes": SIZES,
}


@pytest.fixture
def fakes() -> Fakes:
    fakes = Fakes()
    fakes.agents["hermes-agent"] = an_agent()
    fakes.tasks["task-1"] = a_task()
    fakes.open("any", Priority.LOW, Depth(3, 1))
    fakes.open("cap:gpu", Priority.NORMAL, Depth(2, 0))
    fakes.open("cap:gpu", Priority.HIGH, None)
    return fakes


@pytest.fixture(params=["", "/v1"])
async def client(fakes: Fakes, request: pytest.FixtureRequest) -> AsyncIterator[httpx.AsyncClient]:
    async with over(fakes.app()) as client:
        client.base_url = client.base_url.join(request.param + "/")
        yield client


def ok(answer: httpx.Response) -> dict[str, Any]:
    """The body of a 200, without its timestamp, which is checked here."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    body: dict[str, Any] = answer.json()
    if "timestamp" in body:
        assert datetime.fromisoformat(body.pop("timestamp")).utcoffset() == timedelta(0)
    return body


async def test_registering_answers_with_the_instant(
    client: httpx.AsyncClient, fakes: Fakes
) -> None:
    answer = await client.post(
        "agents/register",
        json={
            "agent_id": "hermes-agent",
            "agent_type": "worker",
            "capabilities": ["data-processing", "analysis"],
            "services": ["task-execution"],
            "endpoints": {"http": "http://localhost:9002"},
            "metadata": {"version": "1.0.0"},
        },
    )
    assert ok(answer) == {
        "status": "success",
        "message": "Agent hermes-agent registered successfully",
        "agent_id": "hermes-agent",
        "registered_at": AT,
    }
    [request] = fakes.registered
    assert request.capabilities == ["data-processing", "analysis"]
    assert request.services == ["task-execution"]
    assert request.endpoints == {"http": "http://localhost:9002"}
    assert request.metadata == {"version": "1.0.0"}


async def test_registering_takes_null_for_what_is_optional_and_ignores_unknown_keys(
    client: httpx.AsyncClient, fakes: Fakes
) -> None:
    ok(
        await client.post(
            "agents/register",
            json={
                "agent_id": "a",
                "agent_type": "worker",
                "capabilities": None,
                "services": None,
                "endpoints": None,
                "metadata": None,
                "version": None,
                "tags": None,
                "slots": None,
                "wallet": "unknown",
            },
        )
    )
    [request] = fakes.registered
    assert (request.capabilities, request.services, request.tags) == ([], [], [])
    assert (request.endpoints, request.metadata) == ({}, {})
    assert (request.version, request.slots) == ("1.0.0", None)


async def test_discovering_answers_with_the_filters_given_and_the_agents_found(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post(
        "agents/discover", json={"status": "active", "agent_type": "worker", "services": None}
    )
    assert ok(answer) == {
        "status": "success",
        "query": {"status": "active", "agent_type": "worker"},
        "agents": [AGENT],
        "count": 1,
    }


@pytest.mark.parametrize("body", [b"", b"null", b"{}"])
async def test_discovering_without_filters_finds_every_agent(
    client: httpx.AsyncClient, body: bytes
) -> None:
    answer = await client.post(
        "agents/discover", content=body, headers={"Content-Type": "application/json"}
    )
    found = ok(answer)
    assert (found["query"], found["count"]) == ({}, 1)


async def test_looking_up_an_agent_answers_with_all_of_its_fields(
    client: httpx.AsyncClient,
) -> None:
    assert ok(await client.get("agents/hermes-agent")) == {"status": "success", "agent": AGENT}


async def test_updating_a_status_answers_with_the_new_one(
    client: httpx.AsyncClient, fakes: Fakes
) -> None:
    answer = await client.put(
        "agents/hermes-agent/status",
        json={"status": "busy", "load_metrics": {"active_connections": 5, "pending_tasks": 2}},
    )
    assert ok(answer) == {
        "status": "success",
        "message": "Agent hermes-agent status updated",
        "agent_id": "hermes-agent",
        "new_status": "busy",
        "updated_at": AT,
    }
    assert fakes.beats == [("hermes-agent", "busy", {"active_connections": 5, "pending_tasks": 2})]


async def test_an_unknown_status_is_a_422(client: httpx.AsyncClient) -> None:
    answer = await client.put("agents/hermes-agent/status", json={"status": "tired"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "status"
    assert "tired" in answer.json()["detail"]


@pytest.mark.parametrize("body", [None, {}, {"status": "active"}, {"load_metrics": {"cpu": 0.5}}])
async def test_a_heartbeat_is_answered_with_its_instant_whatever_its_body(
    client: httpx.AsyncClient, fakes: Fakes, body: dict[str, Any] | None
) -> None:
    answer = await client.post("agents/hermes-agent/heartbeat", json=body)
    assert ok(answer) == {
        "status": "success",
        "message": "Heartbeat received from hermes-agent",
        "agent_id": "hermes-agent",
        "heartbeat_at": AT,
    }
    given = body or {}
    assert fakes.beats == [("hermes-agent", given.get("status"), given.get("load_metrics"))]


async def test_a_heartbeat_needs_no_body_at_all(client: httpx.AsyncClient) -> None:
    ok(await client.post("agents/hermes-agent/heartbeat"))


async def test_draining_an_agent_says_whether_it_was_told(client: httpx.AsyncClient) -> None:
    assert ok(await client.post("agents/hermes-agent/drain")) == {
        "status": "success",
        "message": "Agent hermes-agent is draining",
        "agent_id": "hermes-agent",
        "told": True,
        "drained_at": AT,
    }


async def test_removing_an_agent_answers_with_its_id(
    client: httpx.AsyncClient, fakes: Fakes
) -> None:
    assert ok(await client.delete("agents/hermes-agent")) == {
        "status": "success",
        "message": "Agent hermes-agent removed",
        "agent_id": "hermes-agent",
    }
    assert not fakes.agents


@pytest.mark.parametrize("agent_id", ["a/b", "a b", "ünï", "50%", "status", "a/status", "?#;"])
async def test_an_agents_id_may_have_any_printable_characters(
    client: httpx.AsyncClient, fakes: Fakes, agent_id: str
) -> None:
    fakes.agents[agent_id] = an_agent(agent_id=agent_id)
    path = f"agents/{quote(agent_id, safe='')}"
    assert ok(await client.get(path))["agent"]["agent_id"] == agent_id
    assert ok(await client.put(f"{path}/status", json={"status": "busy"}))["agent_id"] == agent_id
    assert ok(await client.post(f"{path}/heartbeat"))["agent_id"] == agent_id
    assert ok(await client.delete(path))["agent_id"] == agent_id


async def test_submitting_answers_with_the_tasks_id(
    client: httpx.AsyncClient, fakes: Fakes
) -> None:
    answer = await client.post(
        "tasks/submit",
        json={
            "task_data": {"model": "llama2", "prompt": "test prompt"},
            "priority": "normal",
            "requirements": {},
        },
    )
    assert ok(answer) == {
        "status": "success",
        "message": "Task submitted successfully",
        "task_id": "task-1",
        "priority": "normal",
        "submitted_at": AT,
    }
    [command] = fakes.submitted
    assert command.task_data == {"model": "llama2", "prompt": "test prompt"}
    assert command.priority is Priority.NORMAL
    assert command.requirements.empty


@pytest.mark.parametrize(
    ("given", "expected"),
    [("urgent", "urgent"), ("URGENT", "urgent"), (" High ", "high"), (None, "normal")],
)
async def test_a_priority_may_have_any_letter_case_and_is_normal_where_it_is_null(
    client: httpx.AsyncClient, given: str | None, expected: str
) -> None:
    answer = await client.post("tasks/submit", json={"task_data": {}, "priority": given})
    assert ok(answer)["priority"] == expected


async def test_a_submission_needs_only_its_data(client: httpx.AsyncClient, fakes: Fakes) -> None:
    assert ok(await client.post("tasks/submit", json={"task_data": {}}))["priority"] == "normal"


async def test_a_submission_takes_null_and_ignores_keys_that_it_does_not_know(
    client: httpx.AsyncClient, fakes: Fakes
) -> None:
    ok(
        await client.post(
            "tasks/submit",
            json={
                "task_data": {"a": None},
                "requirements": {
                    "agent_type": "worker",
                    "capabilities": ["b", "a"],
                    "services": None,
                    "agent_id": None,
                    "min_memory": 5,
                },
                "timeout_seconds": None,
                "metadata": None,
                "deadline": "unknown",
            },
        )
    )
    ok(await client.post("tasks/submit", json={"task_data": {}, "requirements": None}))
    first, second = fakes.submitted
    assert first.task_data == {"a": None}
    assert first.requirements.as_dict() == {"agent_type": "worker", "capabilities": ["a", "b"]}
    assert second.requirements.empty


async def test_timeout_metadata_and_trace_of_a_submission_go_with_its_task(
    client: httpx.AsyncClient, fakes: Fakes
) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    body = {"task_data": {}, "timeout_seconds": 5, "metadata": {"team": "a"}}
    traced = {"traceparent": trace, "tracestate": "vendor=1"}
    ok(await client.post("tasks/submit", json=body, headers=traced))
    ok(await client.post("tasks/submit", json=body, headers=traced | {"traceparent": "nonsense"}))
    first, second = fakes.submitted
    assert (first.timeout_seconds, first.metadata) == (5, {"team": "a"})
    assert (first.trace, second.trace) == (TraceContext(trace, "vendor=1"), None)


async def test_the_statistics_have_every_figure_of_the_contract(client: httpx.AsyncClient) -> None:
    body = ok(await client.get("tasks/status"))
    assert body == {"status": "success", "stats": STATS}
    assert list(body["stats"]["queue_sizes"]) == ["urgent", "critical", "high", "normal", "low"]


async def test_queue_sizes_are_answered_by_priority(client: httpx.AsyncClient) -> None:
    assert ok(await client.get("tasks/queues")) == {"status": "success", "queue_sizes": SIZES}


async def test_queue_statistics_have_each_queue_each_priority_and_the_distribution(
    client: httpx.AsyncClient, fakes: Fakes
) -> None:
    fakes.in_line = {
        TaskQueue("any", Priority.LOW): QueueFigures(
            listening=4, oldest=timedelta(seconds=61.2345)
        ),
        TaskQueue("other", Priority.LOW): QueueFigures(listening=1, oldest=timedelta(seconds=7)),
        TaskQueue("cap:gpu", Priority.NORMAL): QueueFigures(listening=0, oldest=timedelta()),
        TaskQueue("any", Priority.HIGH): QueueFigures(listening=4, oldest=None),
    }
    nothing = {"queues": 0, "ready": 0, "oldest_waiting_seconds": None, "consumers": 0}
    assert ok(await client.get("tasks/queues/stats")) == {
        "status": "success",
        "queue_sizes": SIZES,
        "priorities": {
            "urgent": nothing,
            "critical": nothing,
            "high": nothing | {"queues": 1},
            "normal": nothing | {"queues": 1, "ready": 2, "oldest_waiting_seconds": 0.0},
            "low": {"queues": 1, "ready": 3, "oldest_waiting_seconds": 61.234, "consumers": 1},
        },
        "queues": [
            {
                "queue": f"tasks.{lane}.{priority}",
                "lane": lane,
                "priority": priority,
                "requirements": {},
                "exists": exists,
                "ready": ready,
                "oldest_waiting_seconds": oldest,
                "listening": listening,
                "consumers": consumers,
            }
            for lane, priority, exists, ready, oldest, listening, consumers in (
                ("cap:gpu", "high", False, 0, None, 0, 0),
                ("cap:gpu", "normal", True, 2, 0.0, 0, 0),
                ("any", "low", True, 3, 61.234, 4, 1),
            )
        ],
        "distribution_stats": STATS,
    }


@pytest.mark.parametrize("priority", ["low", "LOW"])
async def test_clearing_answers_with_the_count(client: httpx.AsyncClient, priority: str) -> None:
    assert ok(await client.post(f"tasks/queues/{priority}/clear")) == {
        "status": "success",
        "message": "Cleared 7 tasks from low queue",
        "priority": "low",
        "cleared_count": 7,
    }


async def test_looking_up_a_task_answers_with_how_it_stands(
    client: httpx.AsyncClient, fakes: Fakes
) -> None:
    assert ok(await client.get("tasks/task-1")) == {
        "status": "success",
        "task": {
            "task_id": "task-1",
            "state": "completed",
            "priority": "normal",
            "requirements": {},
            "lane": "any",
            "task_data": {"prompt": "test prompt"},
            "metadata": None,
            "callback": None,
            "generation": 1,
            "attempt": 1,
            "max_attempts": 1,
            "submitted_at": AT,
            "not_before": None,
            "expires_at": None,
            "started_at": AT,
            "ended_at": AT,
            "agent_id": "hermes-agent",
            "progress": None,
            "result": {"words": 2},
            "error": None,
            "submitted_by": None,
            "parent_id": None,
            "group": None,
            "question": None,
            "answers": [],
            "tags": [],
        },
    }


async def test_a_task_that_failed_is_told_with_its_error(
    client: httpx.AsyncClient, fakes: Fakes
) -> None:
    fakes.tasks["a/b"] = a_task(
        state="dead", result=None, error={"type": "ValueError", "message": "no", "retryable": True}
    )
    task = ok(await client.get("tasks/a%2Fb"))["task"]
    assert task["error"] == {"type": "ValueError", "message": "no", "retryable": True}


async def test_a_task_is_explained_with_what_is_ahead_and_with_the_agents(
    client: httpx.AsyncClient, fakes: Fakes
) -> None:
    fakes.tasks["a/b"] = a_task(state="queued", lane="svc:x", requirements={"services": ["x"]})
    assert ok(await client.get("tasks/a%2Fb/explain"))["explanation"] == {
        "task_id": "task-1",
        "state": "queued",
        "why": "No agent that is registered now may do it; 2 tasks of its lane are ahead of it.",
        "lane": "svc:x",
        "priority": "normal",
        "task_type": None,
        "requirements": {"services": ["x"]},
        "due_at": None,
        "ahead": {"urgent": 0, "normal": 2},
        "able": [],
        "able_count": 0,
        "unable": [
            {"agent_id": "ada", "status": "active", "why_not": ["it lacks the service 'x'"]}
        ],
        "unable_count": 1,
        "warnings": ["No agent that ever registered has the service 'x'."],
    }


async def test_a_submission_that_nobody_could_do_is_answered_with_a_warning(
    client: httpx.AsyncClient, fakes: Fakes
) -> None:
    body: dict[str, Any] = {"task_data": {}}
    assert "warning" not in ok(await client.post("tasks/submit", json=body))
    fakes.warned = "No agent is there."
    assert ok(await client.post("tasks/submit", json=body))["warning"] == "No agent is there."


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "tasks/submit", {"task_data": {}}),
        ("POST", "tasks/submit/batch", {"tasks": []}),
        ("POST", "schedules", {"cron": "* * * * *", "task": {"task_data": {}}}),
        ("POST", "agents/register", {"agent_id": "hermes-agent", "agent_type": "worker"}),
        ("POST", "agents/discover", {}),
        ("POST", "agents/hermes-agent/heartbeat", {}),
        ("PUT", "agents/hermes-agent/status", {"status": "busy"}),
    ],
)
async def test_unknown_keys_of_a_body_are_ignored_and_named(
    client: httpx.AsyncClient, fakes: Fakes, method: str, path: str, body: dict[str, Any]
) -> None:
    fakes.tasks["task-1"] = a_task(state="waiting")
    without = await client.request(method, path, json=body)
    assert without.status_code == 200, without.text
    assert "warning" not in without.json()
    if path == "schedules":
        await client.delete(f"schedules/{without.json()['schedule']['schedule_id']}")
    answer = ok(await client.request(method, path, json=body | {"chain_id": "c"}))
    assert answer["warning"] == "These unknown keys were ignored: 'chain_id'."
    if path == "schedules":
        await client.delete(f"schedules/{answer['schedule']['schedule_id']}")
    answer = ok(await client.request(method, f"{path}?status=active&token=t", json=body))
    assert answer["warning"] == "The query is not read here, and was ignored: 'status'."


async def test_each_task_of_a_batch_is_told_its_own_unknown_keys(
    client: httpx.AsyncClient, fakes: Fakes
) -> None:
    fakes.warned = "No agent is there."
    tasks: list[Any] = [
        {"task_data": {}, "priorty": "low"},
        {"task_data": {}},
        {"task_data": {}, "requirements": {"capability": "x"}},
    ]
    results = ok(await client.post("tasks/submit/batch", json={"tasks": tasks}))["results"]
    assert [one["warning"] for one in results] == [
        "No agent is there. These unknown keys were ignored: 'priorty' (did you mean 'priority'?).",
        "No agent is there.",
        (
            "No agent is there. These unknown keys were ignored: 'requirements.capability' (did you"
            " mean 'requirements.capabilities'?)."
        ),
    ]


ACTING = [
    ("POST", "tasks/dead/redrive"),
    ("POST", "tasks/task-1/cancel"),
    ("POST", "tasks/task-1/retry"),
    ("DELETE", "tasks/task-1"),
    ("POST", "tasks/queues/normal/clear"),
    ("POST", "agents/hermes-agent/drain"),
    ("DELETE", "agents/hermes-agent"),
    ("POST", "schedules/nightly/pause"),
    ("POST", "schedules/nightly/resume"),
    ("DELETE", "schedules/nightly"),
]


async def nothing_was_done(client: httpx.AsyncClient, fakes: Fakes, answer: httpx.Response) -> str:
    assert answer.status_code == 422, answer.text
    assert (fakes.filters, fakes.reasons, fakes.edits) == ([], [], [])
    assert (fakes.cleared, fakes.drained) == ([], [])
    assert ("task-1" in fakes.tasks, "hermes-agent" in fakes.agents) == (True, True)
    assert ok(await client.get("schedules/nightly"))["schedule"]["paused"] is False
    detail: str = answer.json()["detail"]
    return detail


@pytest.mark.parametrize(("method", "path"), ACTING)
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"dryRun": true}', "these keys are unknown: 'dryRun'"),
        (b'{"dry_run": true, "dry_run": true}', "'dry_run' comes twice in the body"),
        (b'{"chain_id": null}', "these keys are unknown: 'chain_id'"),
        (b"[]", "no JSON object"),
        (b"dry_run=true", "no JSON object"),
        (b"0", "no JSON object"),
    ],
)
async def test_a_call_that_acts_refuses_words_that_it_does_not_know(
    client: httpx.AsyncClient,
    fakes: Fakes,
    method: str,
    path: str,
    body: bytes,
    said: str,
) -> None:
    await acted_on(client, fakes)
    for kind in ("application/json", "application/x-www-form-urlencoded"):
        headers = {"Content-Type": kind}
        answer = await client.request(method, path, content=body, headers=headers)
        detail = await nothing_was_done(client, fakes, answer)
        assert said in detail or detail.startswith("The body is not valid JSON")


@pytest.mark.parametrize(("method", "path"), ACTING)
async def test_a_call_that_acts_refuses_a_query(
    client: httpx.AsyncClient, fakes: Fakes, method: str, path: str
) -> None:
    await acted_on(client, fakes)
    answer = await client.request(method, path, params={"dry_run": "true"})
    detail = await nothing_was_done(client, fakes, answer)
    assert detail.startswith("Nothing was done, because 'dry_run' means nothing in the query")
    assert detail.endswith(": send it in the body") is (path == "tasks/dead/redrive")


@pytest.mark.parametrize(("method", "path"), ACTING)
@pytest.mark.parametrize("body", [b"", b"null", b"{}"])
async def test_a_call_that_acts_takes_a_body_without_keys_for_none(
    client: httpx.AsyncClient, fakes: Fakes, method: str, path: str, body: bytes
) -> None:
    await acted_on(client, fakes)
    headers = {"Content-Type": "application/json"}
    ok(await client.request(method, path, content=body, headers=headers, params={"token": "x"}))


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        *(
            ("POST", "agents/register", {"agent_id": "a", "agent_type": "worker", name: empty})
            for name, empty in (
                *(("metadata", []), ("endpoints", []), ("capabilities", {}), ("services", {})),
                *(("tags", {}), ("task_types", {})),
            )
        ),
        ("POST", "agents/discover", {"capabilities": {}, "services": {}, "tags": {}}),
        ("POST", "agents/hermes-agent/heartbeat", {"load_metrics": []}),
        ("PUT", "agents/hermes-agent/status", {"status": "busy", "load_metrics": []}),
        ("POST", "tasks/submit", {"task_data": []}),
        ("POST", "tasks/submit", {"task_data": {}, "requirements": [], "backoff": []}),
        ("POST", "tasks/submit", {"task_data": {}, "metadata": []}),
        ("POST", "tasks/submit", {"task_data": {}, "requirements": {"capabilities": {}}}),
        ("POST", "tasks/submit/batch", {"tasks": {}}),
        ("POST", "tasks/task-1/retry", {"task_data": []}),
        ("POST", "schedules", {"cron": "* * * * *", "task": {"task_data": []}}),
    ],
)
async def test_an_empty_array_is_an_empty_object_where_one_is_meant_and_the_other_way_round(
    client: httpx.AsyncClient, fakes: Fakes, method: str, path: str, body: dict[str, Any]
) -> None:
    """As PHP and Lua write them."""
    fakes.tasks["task-1"] = a_task(state="dead")
    ok(await client.request(method, path, json=body))
    for one in fakes.registered:
        assert (one.metadata, one.endpoints, one.capabilities, one.services) == ({}, {}, [], [])
    for task in fakes.submitted:
        assert (task.task_data, task.requirements.empty) == ({}, True)
    assert all(edit == {} for edit in fakes.edits)


async def test_a_schedule_takes_null_for_what_is_optional(client: httpx.AsyncClient) -> None:
    nothing = dict.fromkeys(("schedule_id", "timezone", "missed"))
    body = {"cron": "* * * * *", "task": {"task_data": {}}} | nothing
    schedule = ok(await client.post("schedules", json=body))["schedule"]
    assert (schedule["timezone"], schedule["missed"]) == ("UTC", "skip")


async def acted_on(client: httpx.AsyncClient, fakes: Fakes) -> None:
    fakes.tasks["task-1"] = a_task(state="dead")
    schedule = {"schedule_id": "nightly", "cron": "* * * * *", "task": {"task_data": {}}}
    ok(await client.post("schedules", json=schedule))


async def test_a_misspelt_filter_of_a_redrive_is_refused_for_it_would_match_every_task(
    client: httpx.AsyncClient, fakes: Fakes
) -> None:
    answer = await client.post("tasks/dead/redrive", json={"error_typ": "ValueError"})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(
        "Nothing was done, because these keys are unknown: 'error_typ' (did you mean 'error_type'?);"
        " there are: "
    )
    assert fakes.filters == []


async def test_a_call_that_acts_says_which_words_it_knows(client: httpx.AsyncClient) -> None:
    answer = await client.post("tasks/task-1/input", json={"input": "yes"})
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        "Nothing was done, because these keys are unknown: 'input'; there are: answer, question_id",
    )
    bare = await client.post("schedules/nightly/pause", json={"input": "yes"})
    assert bare.json()["detail"].endswith("these keys are unknown: 'input'")


@pytest.mark.parametrize(("has_queue", "warns"), [(True, False), (False, True), (None, False)])
async def test_a_registration_without_a_control_queue_is_answered_with_a_warning(
    client: httpx.AsyncClient, fakes: Fakes, has_queue: bool | None, warns: bool
) -> None:
    fakes.has_queue = has_queue
    body = {"agent_id": "hermes-agent", "agent_type": "worker", "capability": []}
    warning = ok(await client.post("agents/register", json=body))["warning"]
    assert ("no control queue on the broker" in warning) is warns
    assert warning.endswith("'capability' (did you mean 'capabilities'?).")


@pytest.mark.parametrize(
    ("body", "reason"), [(None, None), ({}, None), ({"reason": "by mistake"}, "by mistake")]
)
async def test_cancelling_tells_what_the_task_was(
    client: httpx.AsyncClient, fakes: Fakes, body: dict[str, Any] | None, reason: str | None
) -> None:
    fakes.tasks["a/b"] = a_task(state="waiting")
    assert ok(await client.post("tasks/a%2Fb/cancel", json=body)) == {
        "status": "success",
        "message": "Task a/b cancelled",
        "task_id": "a/b",
        "was": "waiting",
        "cancelled_at": AT,
    }
    assert fakes.reasons == [reason]


async def test_a_retry_is_answered_with_its_generation_and_when_it_is_due(
    client: httpx.AsyncClient, fakes: Fakes
) -> None:
    fakes.tasks["a"] = a_task(state="dead")
    assert ok(await client.post("tasks/a/retry")) == {
        "status": "success",
        "message": "Task a will be tried again",
        "task_id": "a",
        "was": "dead",
        "generation": 2,
        "due_at": AT,
    }
    later = ok(await client.post("tasks/a/retry", json={"delay_seconds": 1, "task_data": {"n": 2}}))
    assert later["due_at"] == "2026-01-31T12:00:01.123456+00:00"
    assert fakes.edits == [None, {"n": 2}]


async def test_a_retry_that_nobody_could_do_is_answered_with_the_warning_of_a_submission(
    client: httpx.AsyncClient, fakes: Fakes
) -> None:
    fakes.tasks["a"] = a_task(state="dead")
    fakes.warned = "No agent is there."
    assert ok(await client.post("tasks/a/retry"))["warning"] == "No agent is there."


@pytest.mark.parametrize(
    ("given", "what"),
    [(7, "a number"), (True, "a boolean"), (0.5, "a number"), ([], "an array"), ({}, "an object")],
)
async def test_a_task_type_that_is_no_string_is_named_wherever_a_task_is_given(
    client: httpx.AsyncClient, fakes: Fakes, given: Any, what: str
) -> None:
    fakes.tasks["a"] = a_task(state="dead")
    task = {"task_data": {"task_type": given}}
    told = (
        f"task_data.task_type is {what}, not a string: it was ignored, and the task counts as one without"
        " a type."
    )
    assert ok(await client.post("tasks/submit", json=task))["warning"] == told
    (one,) = ok(await client.post("tasks/submit/batch", json={"tasks": [task]}))["results"]
    assert one["warning"] == told
    assert ok(await client.post("tasks/a/retry", json=task))["warning"] == told
    schedule = {"cron": "* * * * *", "task": task}
    assert ok(await client.post("schedules", json=schedule))["warning"] == told


@pytest.mark.parametrize("given", [None, "", "train"])
async def test_a_task_type_that_is_null_or_a_string_is_not_warned_of(
    client: httpx.AsyncClient, given: Any
) -> None:
    task = {"task_data": {"task_type": given}}
    assert "warning" not in ok(await client.post("tasks/submit", json=task))


async def test_a_task_is_deleted(client: httpx.AsyncClient, fakes: Fakes) -> None:
    fakes.tasks["a/b"] = a_task()
    assert ok(await client.delete("tasks/a%2Fb")) == {
        "status": "success",
        "message": "Task a/b deleted",
        "task_id": "a/b",
    }
    assert "a/b" not in fakes.tasks


async def test_dead_tasks_are_told_by_error_and_one_by_one(
    client: httpx.AsyncClient, fakes: Fakes
) -> None:
    query = "error_type=ValueError&lane=any&task_type=count&submitted_from=2026-01-31&limit=1"
    answer = ok(await client.get(f"tasks/dead?{query}&cursor=1.a"))
    assert answer == {
        "status": "success",
        "total": 3,
        "groups": [{"error_type": "ValueError", "count": 3, "first_at": AT, "last_at": AT}],
        "tasks": [
            {
                "task_id": "task-1",
                "task_type": "count",
                "priority": "normal",
                "lane": "any",
                "generation": 1,
                "attempt": 3,
                "max_attempts": 3,
                "submitted_at": AT,
                "ended_at": AT,
                "agent_id": "hermes-agent",
                "error": {"type": "ValueError", "message": "no", "retryable": True},
                "group": None,
                "tags": [],
            }
        ],
        "next_cursor": "1.a",
    }
    (wanted,) = fakes.filters
    assert (wanted.error_type, wanted.lane, wanted.task_type) == ("ValueError", "any", "count")
    assert wanted.submitted_from == datetime(2026, 1, 31, tzinfo=UTC)


async def test_a_redrive_tells_how_many_and_a_dry_one_only_how_many_would_be(
    client: httpx.AsyncClient, fakes: Fakes
) -> None:
    body: dict[str, Any] = {"error_type": "ValueError", "rate_per_second": 2, "limit": 2}
    answer = ok(await client.post("tasks/dead/redrive", json=body))
    assert answer == {
        "status": "success",
        "message": "2 of 3 dead tasks redriven",
        "dry_run": False,
        "matched": 3,
        "redriven": 2,
        "last_due_at": "2026-01-31T12:00:01.123456+00:00",
    }
    dry = ok(await client.post("tasks/dead/redrive", json=body | {"dry_run": True}))
    assert dry["message"] == "2 of 3 dead tasks would be redriven"
    assert (dry["dry_run"], dry["redriven"], dry["last_due_at"]) == (True, 0, None)
    assert [wanted.error_type for wanted in fakes.filters] == ["ValueError"] * 2


async def test_a_task_called_like_another_endpoint_does_not_hide_it(
    client: httpx.AsyncClient, fakes: Fakes
) -> None:
    fakes.tasks |= {"status": a_task(), "queues": a_task()}
    assert "stats" in ok(await client.get("tasks/status"))
    assert "queue_sizes" in ok(await client.get("tasks/queues"))


async def test_health_names_the_service_and_its_version(client: httpx.AsyncClient) -> None:
    assert ok(await client.get("health")) == {
        "status": "healthy",
        "service": "agent-coordinator",
        "version": "1.2.3",
    }
    assert ok(await client.get("health/live")) == {"status": "alive"}
    assert ok(await client.get("health/ready")) == {"status": "ready"}


async def test_health_says_what_is_wrong_and_stays_200_while_ready_is_503(
    client: httpx.AsyncClient, fakes: Fakes
) -> None:
    fakes.wrong = ["The broker is away.", "The ledger is away."]
    fakes.in_the_way = ["The broker is away."]
    assert ok(await client.get("health")) == {
        "status": "degraded",
        "service": "agent-coordinator",
        "version": "1.2.3",
        "problems": ["The broker is away.", "The ledger is away."],
    }
    assert ok(await client.get("health/live")) == {"status": "alive"}
    ready = await client.get("health/ready")
    assert ready.status_code == 503
    assert ready.json()["detail"] == "The broker is away."
    fakes.in_the_way.clear()  # tasks are taken while the ledger alone is away
    assert ok(await client.get("health/ready")) == {"status": "ready"}


async def test_the_short_names_of_the_probes_say_the_same(
    client: httpx.AsyncClient, fakes: Fakes
) -> None:
    fakes.wrong = ["The ledger is away."]
    for path in ("livez", "readyz", "healthz"):
        assert (await client.head(path)).status_code == 200
    assert ok(await client.get("livez")) == ok(await client.get("health/live"))
    assert ok(await client.get("readyz")) == ok(await client.get("health/ready"))
    told = ok(await client.get("health"))
    assert ok(await client.get("healthz")) | {"problems": fakes.wrong} == told
    assert told["status"] == "degraded"
    fakes.in_the_way = ["The broker is away."]
    assert (await client.get("readyz")).status_code == 503


async def test_the_root_names_the_service_and_every_endpoint(client: httpx.AsyncClient) -> None:
    body = ok(await client.get(""))
    assert body.keys() == {"service", "description", "version", "endpoints"}
    assert (body["service"], body["version"]) == ("Agent Coordinator", "1.2.3")
    assert {"/agents/register", "/tasks/submit", "/health", "/docs"} <= set(body["endpoints"])


async def test_every_instant_has_its_offset(client: httpx.AsyncClient) -> None:
    agent = ok(await client.get("agents/hermes-agent"))["agent"]
    assert datetime.fromisoformat(agent["last_heartbeat"]) == NOW
    assert agent["last_heartbeat"].endswith("+00:00")


async def test_applications_of_one_process_answer_each_for_itself() -> None:
    two = Fakes(), Fakes()
    two[0].agents["ada"] = an_agent(agent_id="ada")

    async with over(two[0].app()) as first, over(two[1].app()) as second:
        of_both = [(await http.get("/v1/agents/ada")).status_code for http in (first, second)]

    assert of_both == [200, 404]
