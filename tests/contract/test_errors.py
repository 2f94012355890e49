"""Every error of the contract: its status, its sentence and what else its body holds."""

from __future__ import annotations

import functools
import gzip
import logging
import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from coordinator.errors import (
    BrokerUnavailable,
    Conflict,
    InvalidRequest,
    LedgerUnavailable,
    OutcomeUnknown,
    PayloadTooLarge,
    TooManyLanes,
    TopologyConflict,
    WrongState,
)
from coordinator.protocol.id_limits import AGENT_WORDS, TASK_WORDS, check_path_id

from .error_bodies import said
from .fakes import Fakes, a_task, an_agent, over

SUBMISSION: dict[str, Any] = {"task_data": {"prompt": "test prompt"}}
BATCH: dict[str, Any] = {"tasks": [SUBMISSION]}
REGISTRATION: dict[str, Any] = {"agent_id": "hermes-agent", "agent_type": "worker"}
DEEP: dict[str, Any] = functools.reduce(lambda inner, _: {"a": inner}, range(32), {})
BOTH = ["endpoints.a", "endpoints.b"]
PREFIXES = pytest.mark.parametrize("prefix", ["", "/v1"])


@pytest.fixture
def fakes() -> Fakes:
    return Fakes()


@pytest.fixture
async def client(fakes: Fakes) -> AsyncIterator[httpx.AsyncClient]:
    async with over(fakes.app()) as client:
        yield client


# --- 500 --------------------------------------------------------------------------------------


@PREFIXES
@pytest.mark.parametrize(
    ("method", "path", "body", "sentence"),
    [
        ("POST", "/agents/register", REGISTRATION, "Failed to register agent: boom"),
        ("POST", "/agents/discover", {}, "Error discovering agents: boom"),
        ("GET", "/agents/a", None, "Error getting agent: boom"),
        ("PUT", "/agents/a/status", {"status": "busy"}, "Error updating agent status: boom"),
        ("POST", "/agents/a/heartbeat", None, "Error processing heartbeat: boom"),
        ("DELETE", "/agents/a", None, "Error removing agent: boom"),
        ("POST", "/agents/a/drain", None, "Error draining agent: boom"),
        ("POST", "/tasks/submit", SUBMISSION, "Error submitting task: boom"),
        ("POST", "/tasks/submit/batch", BATCH, "Error submitting tasks: boom"),
        ("GET", "/tasks/status", None, "Error getting task status: boom"),
        ("GET", "/tasks/queues", None, "Error getting queue sizes: boom"),
        ("GET", "/tasks/queues/stats", None, "Error getting queue stats: boom"),
        ("POST", "/tasks/queues/low/clear", None, "Error clearing queue: boom"),
        ("GET", "/tasks/a", None, "Error getting task: boom"),
        ("GET", "/tasks", None, "Error listing tasks: boom"),
        ("GET", "/tasks/a/events", None, "Error getting task events: boom"),
        ("GET", "/tasks/a/wait", None, "Error waiting for task: boom"),
        ("GET", "/agents", None, "Error listing agents: boom"),
        ("GET", "/agents/a/tasks", None, "Error listing tasks of agent: boom"),
        ("GET", "/parked", None, "Error listing parked messages: boom"),
        ("GET", "/parked/1", None, "Error getting parked message: boom"),
        ("GET", "/tasks/a/explain", None, "Error explaining task: boom"),
        ("POST", "/tasks/a/cancel", None, "Error cancelling task: boom"),
        ("POST", "/tasks/a/retry", {}, "Error retrying task: boom"),
        ("DELETE", "/tasks/a", None, "Error deleting task: boom"),
        ("GET", "/tasks/dead", None, "Error getting dead tasks: boom"),
        ("POST", "/tasks/dead/redrive", None, "Error redriving dead tasks: boom"),
    ],
)
async def test_what_nobody_expected_is_a_500_with_the_contracts_sentence(
    fakes: Fakes,
    client: httpx.AsyncClient,
    prefix: str,
    method: str,
    path: str,
    body: dict[str, Any] | None,
    sentence: str,
) -> None:
    fakes.failure = RuntimeError("boom")
    answer = await client.request(method, prefix + path, json=body)
    assert answer.status_code == 500
    assert said(answer) == {"detail": sentence}


async def test_the_traceback_of_a_500_is_logged_and_not_answered(
    fakes: Fakes, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    fakes.failure = RuntimeError("boom")
    with caplog.at_level(logging.ERROR):
        answer = await client.get("/agents/a")
    assert "Traceback" not in answer.text
    assert any(record.exc_info and "boom" in str(record.exc_info[1]) for record in caplog.records)


async def test_an_unexpected_error_without_words_is_named_by_its_class(
    fakes: Fakes, client: httpx.AsyncClient
) -> None:
    fakes.failure = KeyError()
    answer = await client.get("/agents/a")
    assert said(answer) == {"detail": "Error getting agent: KeyError"}


# --- 503 --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/tasks/submit", SUBMISSION),
        ("POST", "/tasks/submit/batch", BATCH),
        ("GET", "/tasks/status", None),
        ("GET", "/tasks/queues", None),
        ("GET", "/tasks/queues/stats", None),
        ("POST", "/tasks/queues/low/clear", None),
    ],
)
@pytest.mark.parametrize("failure", [BrokerUnavailable("why"), TopologyConflict("why")])
async def test_without_the_broker_the_distributor_is_not_available(
    fakes: Fakes,
    client: httpx.AsyncClient,
    method: str,
    path: str,
    body: dict[str, Any] | None,
    failure: Exception,
) -> None:
    fakes.failure = failure
    answer = await client.request(method, path, json=body)
    assert answer.status_code == 503
    assert said(answer) == {"detail": "Task distributor not available", "reason": "why"}
    assert int(answer.headers["Retry-After"]) > 0


async def test_without_the_broker_an_agent_is_not_registered(
    fakes: Fakes, client: httpx.AsyncClient
) -> None:
    fakes.failure = BrokerUnavailable()
    answer = await client.post("/agents/register", json=REGISTRATION)
    assert answer.status_code == 503
    assert answer.json()["detail"] == "The broker cannot be reached right now; nothing was sent."
    assert int(answer.headers["Retry-After"]) > 0


async def test_without_the_database_a_task_cannot_be_looked_up(
    fakes: Fakes, client: httpx.AsyncClient
) -> None:
    fakes.failure = LedgerUnavailable()
    answer = await client.get("/tasks/a")
    assert answer.status_code == 503
    assert answer.json()["detail"] == "The database cannot be reached right now."


async def test_an_unknown_outcome_tells_the_id_and_what_to_do_and_invites_no_blind_repetition(
    fakes: Fakes, client: httpx.AsyncClient
) -> None:
    fakes.failure = OutcomeUnknown(task_id="a/b")
    answer = await client.post("/tasks/submit", json=SUBMISSION)
    assert answer.status_code == 503
    assert answer.json()["task_id"] == "a/b"
    detail = answer.json()["detail"]
    assert "it may have been accepted: ask GET /tasks/a%2Fb, or submit again with this id" in detail
    assert "Retry-After" not in answer.headers


# --- 4xx --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (Conflict("Used before"), 409),
        (TooManyLanes("Too many"), 422),
        (PayloadTooLarge("Too large"), 413),
    ],
)
async def test_a_submission_that_is_refused_is_told_why(
    fakes: Fakes, client: httpx.AsyncClient, failure: Exception, status: int
) -> None:
    fakes.failure = failure
    answer = await client.post("/tasks/submit", json=SUBMISSION)
    assert answer.status_code == status
    assert said(answer) == {"detail": str(failure)}


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/tasks/a/cancel"), ("POST", "/tasks/a/retry"), ("DELETE", "/tasks/a")],
)
async def test_what_a_tasks_state_forbids_is_a_409_that_names_it(
    fakes: Fakes, client: httpx.AsyncClient, method: str, path: str
) -> None:
    fakes.failure = WrongState("The task is completed already")
    answer = await client.request(method, path)
    assert answer.status_code == 409
    assert said(answer) == {"detail": "The task is completed already"}


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "submitted_before=soon"])
async def test_a_wrong_filter_of_dead_tasks_is_a_422_that_names_it(
    client: httpx.AsyncClient, query: str
) -> None:
    answer = await client.get(f"/tasks/dead?{query}")
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [query.partition("=")[0]]


@PREFIXES
@pytest.mark.parametrize(
    ("method", "path", "body", "sentence"),
    [
        ("GET", "/agents/nobody", None, "Agent not found"),
        ("PUT", "/agents/nobody/status", {"status": "busy"}, "Agent not found"),
        ("POST", "/agents/nobody/heartbeat", None, "Agent not found"),
        ("DELETE", "/agents/nobody", None, "Agent not found"),
        ("POST", "/agents/nobody/drain", None, "Agent not found"),
        ("GET", "/tasks/nothing", None, "Task not found"),
        ("GET", "/tasks/nothing/events", None, "Task not found"),
        ("GET", "/tasks/nothing/wait", None, "Task not found"),
        ("GET", "/agents/nobody/tasks", None, "Agent not found"),
        ("GET", "/parked/7", None, "Parked message not found"),
        ("GET", "/tasks/nothing/explain", None, "Task not found"),
        ("POST", "/tasks/nothing/cancel", None, "Task not found"),
        ("POST", "/tasks/nothing/retry", None, "Task not found"),
        ("DELETE", "/tasks/nothing", None, "Task not found"),
        ("GET", "/nowhere", None, "Path not found: there is nothing at {path}, see /docs"),
    ],
)
async def test_a_404_has_detail_status_message_and_timestamp(
    client: httpx.AsyncClient,
    prefix: str,
    method: str,
    path: str,
    body: dict[str, Any] | None,
    sentence: str,
) -> None:
    answer = await client.request(method, prefix + path, json=body)
    assert answer.status_code == 404
    found = answer.json()
    sentence = sentence.format(path=prefix + path)
    assert said(answer).keys() == {"detail"}
    assert (found["detail"], found["status"], found["message"]) == (sentence, "error", sentence)
    assert datetime.fromisoformat(found["timestamp"]).utcoffset() == timedelta(0)


@PREFIXES
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/nowhere", "/tasks/a/b/c", "/agents/a/b/c", "/docs/no/such.js"])
async def test_an_unknown_path_is_not_found_with_whatever_method(
    client: httpx.AsyncClient, prefix: str, method: str, path: str
) -> None:
    answer = await client.request(method, prefix + path)
    assert answer.status_code == 404
    if method == "HEAD":
        assert int(answer.headers["content-length"]) > 0
        return
    found = answer.json()
    assert said(answer).keys() == {"detail"}
    assert found["detail"] == found["message"]
    assert "not found" in found["detail"]
    assert f"{prefix}{path}" in found["detail"]


async def test_a_method_that_a_path_does_not_have_is_refused_with_those_that_it_has(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/agents/register/status")
    assert answer.status_code == 405
    assert said(answer) == {"detail": "GET is not possible at /agents/register/status: use PUT"}
    assert answer.headers["Allow"] == "PUT"


@PREFIXES
@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/tasks/t", ["DELETE", "GET", "HEAD"]),
        ("POST", "/tasks/t", ["DELETE", "GET", "HEAD"]),
        ("PATCH", "/agents/a", ["DELETE", "GET", "HEAD"]),
        ("DELETE", "/agents/a/status", ["PUT"]),
        ("PUT", "/schedules", ["GET", "HEAD", "POST"]),
        ("OPTIONS", "/health", ["GET", "HEAD"]),
        ("POST", "/docs/assets/swagger-ui.css", ["GET", "HEAD"]),
        ("GET", "/tasks/dead/redrive", ["POST"]),
        ("GET", "/tasks/submit", ["POST"]),
        ("DELETE", "/tasks/queues", ["GET", "HEAD"]),
        ("DELETE", "/tasks/status", ["GET", "HEAD"]),
        ("DELETE", "/tasks/dead", ["GET", "HEAD"]),
        ("GET", "/agents/register", ["POST"]),
        ("DELETE", "/agents/discover", ["POST"]),
    ],
)
async def test_a_405_names_every_method_that_the_path_has(
    client: httpx.AsyncClient, prefix: str, method: str, path: str, allowed: list[str]
) -> None:
    answer = await client.request(method, prefix + path)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == ", ".join(allowed)
    assert answer.json()["detail"] == (
        f"{method} is not possible at {prefix}{path}: use {' or '.join(allowed)}"
    )


STREAMS = {"/events", "/tasks/{task_id}/stream"}
"""A GET of these has no end: tests/contract/test_event_streams.py has their HEAD."""


@PREFIXES
async def test_every_path_that_has_a_get_has_a_head_that_is_answered_alike(
    fakes: Fakes, client: httpx.AsyncClient, prefix: str
) -> None:
    fakes.tasks["a"] = a_task()
    fakes.agents["a"] = an_agent(agent_id="a")
    asked = 0
    for path, methods in fakes.app().openapi()["paths"].items():
        if "get" in methods and path not in STREAMS:
            where = prefix + re.sub(r"{\w+}", "a", path)
            told, head = await client.get(where), await client.head(where)
            assert (head.status_code, head.content) == (told.status_code, b""), where
            assert head.headers["content-type"] == told.headers["content-type"]
            assert int(head.headers["content-length"]) == pytest.approx(len(told.content), abs=2)
            asked += 1
    assert asked > 15


def test_the_words_of_paths_are_no_ids(fakes: Fakes) -> None:
    """Each word that stands where an id does, so that the id could not be asked for."""
    paths = [path.split("/")[1:] for path in fakes.app().openapi()["paths"]]
    for parts, words in ((("tasks",), TASK_WORDS), (("agents",), AGENT_WORDS)):
        found = {path[1] for path in paths if path[0] in parts and len(path) > 1}
        assert {word for word in found if not word.startswith("{")} == words
    assert not any(path[0] == "schedules" and path[1:] and path[1][0] != "{" for path in paths)


@pytest.mark.parametrize("word", [*sorted(TASK_WORDS), ".", ".."])
async def test_an_id_that_no_path_can_carry_is_no_id_of_a_task(word: str) -> None:
    with pytest.raises(InvalidRequest, match="nobody could ask for it") as refused:
        check_path_id(word, "task_data.task_id", field="task_data.task_id", words=TASK_WORDS)
    assert refused.value.field == "task_data.task_id"
    assert check_path_id("Dead", "task_id", field="task_id", words=TASK_WORDS) == "Dead"


@pytest.mark.parametrize("agent_id", [*sorted(AGENT_WORDS), ".", ".."])
async def test_an_id_that_no_path_can_carry_is_no_id_of_an_agent(
    client: httpx.AsyncClient, agent_id: str
) -> None:
    answer = await client.post("/agents/register", json=REGISTRATION | {"agent_id": agent_id})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(f"agent_id may not be '{agent_id}'")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        *(
            ("/tasks/submit", SUBMISSION | {name: True}, name)
            for name in (
                *("timeout_seconds", "progress_timeout_seconds", "max_attempts"),
                *("delay_seconds", "expires_in_seconds"),
            )
        ),
        ("/tasks/submit", SUBMISSION | {"backoff": {"factor": True}}, "backoff.factor"),
        ("/tasks/t/retry", {"delay_seconds": True}, "delay_seconds"),
        ("/tasks/dead/redrive", {"limit": True}, "limit"),
        ("/tasks/dead/redrive", {"rate_per_second": True}, "rate_per_second"),
        ("/agents/register", REGISTRATION | {"slots": True}, "slots"),
        ("/agents/discover", {"limit": True}, "limit"),
        ("/agents/discover", {"min_health_score": False}, "min_health_score"),
        ("/agents/a/heartbeat", {"load_metrics": {"cpu": True}}, "load_metrics.cpu"),
    ],
)
async def test_true_is_no_number(
    client: httpx.AsyncClient, fakes: Fakes, path: str, body: dict[str, Any], field: str
) -> None:
    answer = await client.post(path, json=body)
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == field
    assert error["message"].endswith("input should be a valid number, not true or false")
    assert (fakes.submitted, fakes.filters, fakes.registered) == ([], [], [])


@pytest.mark.parametrize("priority", ["soon", "", 5, ["high"], True])
async def test_an_unknown_priority_is_a_400_that_repeats_it(
    client: httpx.AsyncClient, priority: object
) -> None:
    answer = await client.post("/tasks/submit", json=SUBMISSION | {"priority": priority})
    assert answer.status_code == 400
    assert said(answer) == {"detail": f"Invalid priority: {priority}"}


async def test_clearing_an_unknown_priority_is_a_400_that_repeats_it(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post("/tasks/queues/so%2Fon/clear")
    assert answer.status_code == 400
    assert said(answer) == {"detail": "Invalid priority: so/on"}


@pytest.mark.parametrize(
    ("path", "body", "fields"),
    [
        ("/agents/register", {"agent_type": "worker"}, ["agent_id"]),
        ("/agents/register", {}, ["agent_id", "agent_type"]),
        ("/agents/register", REGISTRATION | {"capabilities": ["a", 5]}, ["capabilities.1"]),
        ("/agents/register", REGISTRATION | {"endpoints": {"http": "x" * 3000}}, ["endpoints"]),
        ("/agents/register", REGISTRATION | {"agent_id": "a\nb"}, ["agent_id"]),
        ("/agents/register", REGISTRATION | {"agent_id": "x" * 129}, ["agent_id"]),
        ("/agents/register", REGISTRATION | {"slots": 0}, ["slots"]),
        ("/agents/register", REGISTRATION | {"version": ""}, ["version"]),
        ("/agents/register", REGISTRATION | {"metadata": DEEP}, ["metadata"]),
        ("/agents/register", REGISTRATION | {"endpoints": dict.fromkeys("ab", 1)}, BOTH),
        ("/tasks/submit", {}, ["task_data"]),
        ("/tasks/submit", {"task_data": "text"}, ["task_data"]),
        ("/tasks/submit", SUBMISSION | {"requirements": ["gpu"]}, ["requirements"]),
        (
            "/tasks/submit",
            SUBMISSION | {"requirements": {"capabilities": "gpu"}},
            ["requirements.capabilities"],
        ),
        ("/tasks/submit/batch", {}, ["tasks"]),
        ("/tasks/submit/batch", {"tasks": {"a": 1}}, ["tasks"]),
        ("/agents/discover", {"capabilities": "gpu"}, ["capabilities"]),
        ("/tasks/a/cancel", {"reason": "x" * 1001}, ["reason"]),
        ("/tasks/a/retry", {"delay_seconds": -1}, ["delay_seconds"]),
        ("/tasks/a/retry", {"delay_seconds": 4e7}, ["delay_seconds"]),
        ("/tasks/a/retry", {"task_data": "text"}, ["task_data"]),
        ("/tasks/a/retry", {"task_data": DEEP}, ["task_data"]),
        ("/tasks/dead/redrive", {"limit": 0, "dry_run": "perhaps"}, ["limit", "dry_run"]),
        ("/tasks/dead/redrive", {"rate_per_second": 0}, ["rate_per_second"]),
        ("/tasks/dead/redrive", {"submitted_from": "soon"}, ["submitted_from"]),
        ("/agents/a/heartbeat", {"load_metrics": {"cpu": "full"}}, ["load_metrics.cpu"]),
    ],
)
async def test_a_422_is_one_sentence_that_names_each_field(
    client: httpx.AsyncClient, path: str, body: dict[str, Any], fields: list[str]
) -> None:
    answer = await client.post(path, json=body)
    assert answer.status_code == 422
    found = answer.json()
    assert said(answer).keys() == {"detail", "errors"}
    assert [error["field"] for error in found["errors"]] == fields
    assert found["detail"] == "; ".join(error["message"] for error in found["errors"])
    for field in fields:
        assert field.partition(".")[0] in found["detail"]


@PREFIXES
@pytest.mark.parametrize(
    ("body", "field", "sentence"),
    [
        ({"not_before": "tomorrow"}, "not_before", "not_before must be an instant with its offset"),
        ({"expires_at": "2026-01-31T12:00:00"}, "expires_at", "expires_at must be an instant with"),
        ({"expires_at": "2026-02-31T12:00:00Z"}, "expires_at", "expires_at must be an instant"),
        ({"expires_at": "0001-01-01T00:00:00+09:00"}, "expires_at", "expires_at must be an insta"),
        ({"max_attempts": 1.5}, "max_attempts", "max_attempts: input should be a valid integer"),
        ({"max_attempts": "many"}, "max_attempts", "max_attempts: input should be a valid integer"),
        ({"backoff": 5}, "backoff", "backoff: input should be a valid dictionary"),
        ({"backoff": {"factor": "x"}}, "backoff.factor", "backoff.factor: input should be a valid"),
        ({"delay_seconds": [1]}, "delay_seconds", "delay_seconds: input should be a valid number"),
        ({"not_before": 5}, "not_before", "not_before: input should be a valid string"),
    ],
)
async def test_an_option_that_cannot_be_read_is_a_422_that_says_how_it_should_be(
    client: httpx.AsyncClient, prefix: str, body: dict[str, Any], field: str, sentence: str
) -> None:
    answer = await client.post(f"{prefix}/tasks/submit", json=SUBMISSION | body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert answer.json()["detail"].startswith(sentence)


async def test_a_million_wrong_values_are_not_answered_with_a_million_sentences(
    client: httpx.AsyncClient,
) -> None:
    body = REGISTRATION | {"capabilities": [1] * 100_000}
    answer = await client.post("/agents/register", json=body)
    assert answer.status_code == 422
    assert len(answer.content) < 2000


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"{'a': 1}",
        b'{"task_data": {"a": NaN}}',
        b'{"task_data": {"a": "\\ud800"}}',
        b'{"task_data": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        b'{"task_data": {"a": ' + b"1" * 10_000 + b"}}",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'"text"',
    ],
    ids=range(11),
)
async def test_a_body_that_is_no_json_object_is_a_422_that_says_so(
    client: httpx.AsyncClient, body: bytes
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await client.post("/tasks/submit", content=body, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "body"
    assert answer.json()["detail"].startswith(("The body is not valid JSON", "The body must be"))


async def test_a_body_that_does_not_say_that_it_is_json_is_refused(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post("/tasks/submit", content=b'{"task_data": {}}')
    assert answer.status_code == 422
    assert "Content-Type: application/json" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"task_data": {}}'.encode("utf-8-sig"), "byte order mark; send UTF-8 without one"),
        ('{"task_data": {}}'.encode("utf-16"), "in UTF-16 or UTF-32; send it in UTF-8"),
        ('{"task_data": {}}'.encode("utf-16-be"), "in UTF-16 or UTF-32; send it in UTF-8"),
        ('{"task_data": {}}'.encode("utf-32-be"), "in UTF-16 or UTF-32; send it in UTF-8"),
    ],
    ids=["BOM", "UTF-16", "UTF-16 without a mark", "UTF-32"],
)
async def test_a_body_in_another_encoding_than_plain_utf_8_is_told_which(
    client: httpx.AsyncClient, body: bytes, said: str
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await client.post("/tasks/submit", content=body, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["detail"].endswith(said)


@pytest.mark.parametrize("path", ["/tasks/submit", "/tasks/dead/redrive", "/agents/a/heartbeat"])
async def test_a_compressed_body_is_a_415_that_says_so(
    client: httpx.AsyncClient, fakes: Fakes, path: str
) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = await client.post(path, content=gzip.compress(b'{"task_data": {}}'), headers=headers)
    assert answer.status_code == 415
    assert "Content-Encoding: gzip is not read here" in answer.json()["detail"]
    assert (fakes.submitted, fakes.filters, fakes.beats) == ([], [], [])


@pytest.mark.parametrize("words", ["identity", "Identity, identity", ""])
async def test_a_body_that_says_it_is_as_it_is_is_read(
    client: httpx.AsyncClient, words: str
) -> None:
    headers = {"Content-Encoding": words}
    assert (await client.post("/tasks/submit", json=SUBMISSION, headers=headers)).status_code == 200


async def test_a_compressed_body_is_refused_whatever_a_second_header_says(
    client: httpx.AsyncClient, fakes: Fakes
) -> None:
    headers = [("Content-Encoding", "gzip"), ("Content-Encoding", "identity")]
    answer = await client.post("/tasks/submit", json=SUBMISSION, headers=headers)
    assert answer.status_code == 415
    assert fakes.submitted == []


async def test_a_request_without_a_body_has_none_that_is_compressed(
    client: httpx.AsyncClient,
) -> None:
    headers = {"Content-Encoding": "gzip"}
    assert (await client.get("/tasks", headers=headers)).status_code == 200
    assert (await client.post("/agents/discover", headers=headers)).status_code == 200


@pytest.mark.parametrize("arrived", [b"", b'{"dry_run": true}'], ids=["lost", "cut"])
async def test_a_body_that_is_shorter_than_announced_is_never_taken_for_none(
    fakes: Fakes, client: httpx.AsyncClient, arrived: bytes
) -> None:
    """Whatever reads the connection: nothing is done without the body."""
    fakes.tasks["a"] = a_task()
    fakes.agents["a"] = an_agent(agent_id="a")
    paths = fakes.app().openapi()["paths"]
    reading = [
        (method, path)
        for path, methods in paths.items()
        for method, operation in methods.items()
        if "requestBody" in operation
    ]
    assert len(reading) > 8
    for method, path in reading:
        answer = await client.request(
            method,
            re.sub(r"{\w+}", "a", path),
            content=arrived,
            headers={"Content-Type": "application/json", "Content-Length": "41"},
        )
        assert answer.status_code == 400, (method, path, answer.text)
        assert f"with 41 bytes, and {len(arrived)} arrived" in answer.json()["detail"]
    assert (fakes.submitted, fakes.registered, fakes.filters) == ([], [], [])
    assert (fakes.reasons, fakes.edits, fakes.beats) == ([], [], [])


# --- the size of bodies -----------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/tasks/submit", "/v1/agents/register", "/agents/a/heartbeat"])
async def test_a_body_over_the_limit_is_a_413(client: httpx.AsyncClient, path: str) -> None:
    body = b'{"a": "' + b"x" * 1024 * 1024 + b'"}'
    answer = await client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert said(answer) == {"detail": "The request body is larger than 1048576 bytes"}


async def test_a_body_sent_in_chunks_is_counted_as_it_comes(client: httpx.AsyncClient) -> None:
    sent = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 10 * 1024 * 1024:
            sent += 100_000
            yield b" " * 100_000

    answer = await client.post(
        "/tasks/submit", content=chunks(), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 413
    assert sent < 2 * 1024 * 1024


async def test_the_limit_on_bodies_is_a_setting_and_a_body_of_that_size_passes(
    fakes: Fakes,
) -> None:
    body = b'{"task_data": {}}'
    headers = {"Content-Type": "application/json"}
    async with over(fakes.app(max_body_bytes=len(body))) as client:
        assert (
            await client.post("/tasks/submit", content=body, headers=headers)
        ).status_code == 200
        assert (
            await client.post("/tasks/submit", content=body + b" ", headers=headers)
        ).status_code == 413
