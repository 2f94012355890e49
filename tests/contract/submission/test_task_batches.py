"""Batches over HTTP: each task has its verdict, in order, with the sentence that it would have had."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from coordinator.errors import (
    BrokerUnavailable,
    Conflict,
    InvalidRequest,
    LedgerUnavailable,
    OutcomeUnknown,
)
from tests.contract.error_bodies import said
from tests.contract.fakes import NOW, Fakes, over

TASK: dict[str, Any] = {"task_data": {"prompt": "test prompt"}}
MAYBE = (
    "The broker has not answered in time; it may have been accepted: ask"
    " GET /tasks/a%2Fb, or submit again with this id (as task_data.task_id)"
)
AWAY = BrokerUnavailable("why")


@pytest.fixture
def fakes() -> Fakes:
    return Fakes()


@pytest.fixture
async def client(fakes: Fakes) -> AsyncIterator[httpx.AsyncClient]:
    async with over(fakes.app()) as client:
        yield client


async def batch(client: httpx.AsyncClient, *tasks: Any, prefix: str = "") -> dict[str, Any]:
    answer = await client.post(f"{prefix}/tasks/submit/batch", json={"tasks": tasks})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("prefix", ["", "/v1"])
async def test_every_task_is_answered_in_order_with_what_a_single_submission_tells(
    fakes: Fakes, client: httpx.AsyncClient, prefix: str
) -> None:
    found = await batch(client, TASK, TASK | {"priority": "HIGH"}, prefix=prefix)
    at = NOW.isoformat()
    assert {name: found[name] for name in ("status", "accepted", "rejected", "unknown")} == {
        "status": "success",
        "accepted": 2,
        "rejected": 0,
        "unknown": 0,
    }
    first, second = (
        {"status": "accepted", "index": 0, "task_id": "task-1", "priority": "normal"},
        {"status": "accepted", "index": 1, "task_id": "task-2", "priority": "high"},
    )
    assert found["results"] == [first | {"submitted_at": at}, second | {"submitted_at": at}]
    assert [wish.priority for wish in fakes.submitted] == ["normal", "high"]


async def test_no_task_is_accepted_or_rejected_with_another(
    fakes: Fakes, client: httpx.AsyncClient
) -> None:
    fakes.verdicts = [
        Conflict("used before"),
        InvalidRequest("too deep", field="task_data"),
        OutcomeUnknown(task_id="a/b"),
        AWAY,
        LedgerUnavailable(),
    ]
    found = await batch(
        client,
        5,
        {},
        TASK | {"priority": "soon"},
        TASK | {"expires_at": "tomorrow"},
        {"task_data": {"text": "x" * 1024 * 1024}},
        *([TASK] * 6),
    )
    assert (found["accepted"], found["rejected"], found["unknown"]) == (1, 9, 1)
    assert [result["index"] for result in found["results"]] == list(range(11))
    told = [
        (error["status_code"], error["detail"], [one["field"] for one in error.get("errors", ())])
        for error in (result["error"] for result in found["results"][:-1])
    ]
    assert told[:8] == [
        (422, "The task must be a JSON object", ["task"]),
        (422, "task_data is required", ["task_data"]),
        (400, "Invalid priority: soon", []),
        (
            422,
            "expires_at must be an instant with its offset, such as 2026-01-31T12:00:00Z",
            ["expires_at"],
        ),
        (413, "The task is larger than 1048576 bytes", []),
        (409, "used before", []),
        (422, "too deep", ["task_data"]),
        (
            503,
            MAYBE,
            [],
        ),
    ]
    assert told[8:] == [
        (503, "Task distributor not available", []),
        (503, "The database cannot be reached right now.", []),
    ]
    unknown, away = found["results"][7:9]
    assert (unknown["status"], unknown["task_id"]) == ("unknown", "a/b")
    assert (away["status"], away["error"]["reason"]) == ("rejected", "why")


async def test_a_batch_of_which_the_broker_took_nothing_is_a_503(
    fakes: Fakes, client: httpx.AsyncClient
) -> None:
    fakes.verdicts = [AWAY, Conflict("used before")]
    answer = await client.post("/tasks/submit/batch", json={"tasks": [{}, TASK, TASK]})
    assert answer.status_code == 503
    assert said(answer) == {"detail": "Task distributor not available", "reason": "why"}
    assert int(answer.headers["Retry-After"]) > 0


async def test_a_batch_of_nothing_is_answered_with_nothing(client: httpx.AsyncClient) -> None:
    assert (await batch(client))["results"] == []


async def test_a_batch_that_is_too_long_is_refused_whole(
    fakes: Fakes, client: httpx.AsyncClient
) -> None:
    assert (await batch(client, *([TASK] * 1000)))["accepted"] == 1000
    fakes.submitted.clear()
    answer = await client.post("/tasks/submit/batch", json={"tasks": [TASK] * 1001})
    assert answer.status_code == 422
    assert answer.json()["detail"] == ("tasks has 1001 entries: send at most 1000 in one request")
    assert not fakes.submitted


async def test_a_batch_has_a_limit_of_its_own_on_its_body(fakes: Fakes) -> None:
    body = {"tasks": [{"task_data": {"text": "x" * 900}}] * 4}
    async with over(fakes.app(max_body_bytes=1024, max_batch_bytes=4096)) as client:
        for path in ("/tasks/submit/batch", "/v1/tasks/submit/batch"):
            assert (await client.post(path, json=body)).status_code == 200
            answer = await client.post(path, json=body | {"more": "x" * 900})
            assert answer.status_code == 413
            assert said(answer) == {"detail": "The request body is larger than 4096 bytes"}
