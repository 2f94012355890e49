"""Recurring schedules over HTTP: shapes, and every sentence of a refusal."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from .error_bodies import said
from .fakes import NOW, Fakes, over

AT = NOW.isoformat()
BODY: dict[str, Any] = {
    "schedule_id": "nightly",
    "cron": "30 3 * * *",
    "timezone": "Europe/Vienna",
    "task": {"task_data": {"task_type": "summary"}, "priority": "low", "requirements": None},
}
IN_LISTS = {
    "schedule_id": "nightly",
    "cron": "30 3 * * *",
    "timezone": "Europe/Vienna",
    "missed": "skip",
    "task_type": "summary",
    "created_at": AT,
    "created_by": None,
    "paused": False,
    "next_at": AT,
    "last_run_at": None,
    "last_task_id": None,
    "last_error": None,
}
SHAPE = {**IN_LISTS, "task": {"task_data": {"task_type": "summary"}, "priority": "low"}}
PREFIXES = pytest.mark.parametrize("prefix", ["", "/v1"])


@pytest.fixture
def fakes() -> Fakes:
    return Fakes()


@pytest.fixture
async def client(fakes: Fakes) -> AsyncIterator[httpx.AsyncClient]:
    async with over(fakes.app()) as client:
        yield client


def ok(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    assert body.pop("status") == "success"
    assert body.pop("timestamp")
    return body


@PREFIXES
async def test_a_schedule_is_created_looked_up_paused_resumed_and_deleted(
    client: httpx.AsyncClient, prefix: str
) -> None:
    path = f"{prefix}/schedules"
    assert ok(await client.post(path, json=BODY)) == {"schedule": SHAPE}
    assert ok(await client.get(f"{path}/nightly")) == {"schedule": SHAPE}
    assert ok(await client.get(path)) == {"schedules": [IN_LISTS], "count": 1, "next_cursor": None}
    assert ok(await client.post(f"{path}/nightly/pause"))["schedule"]["paused"] is True
    assert ok(await client.post(f"{path}/nightly/resume"))["schedule"]["paused"] is False
    assert ok(await client.delete(f"{path}/nightly")) == {
        "message": "Schedule nightly deleted",
        "schedule_id": "nightly",
    }
    gone = await client.get(f"{path}/nightly")
    assert (gone.status_code, gone.json()["detail"]) == (404, "Schedule not found")


async def test_schedules_come_in_pages(client: httpx.AsyncClient) -> None:
    for name in "abc":
        ok(await client.post("/schedules", json=BODY | {"schedule_id": name}))
    page = ok(await client.get("/schedules", params={"limit": 2}))
    assert [one["schedule_id"] for one in page["schedules"]] == ["a", "b"]
    assert not any("task" in one for one in page["schedules"]), "lists hold no whole tasks"
    rest = ok(await client.get("/schedules", params={"cursor": page["next_cursor"]}))
    assert [one["schedule_id"] for one in rest["schedules"]] == ["c"]


async def test_a_schedule_without_an_id_is_given_one(client: httpx.AsyncClient) -> None:
    made = ok(await client.post("/schedules", json=BODY | {"schedule_id": None}))
    assert made["schedule"]["schedule_id"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"cron": None}, "cron: input should be a valid string"),
        ({"missed": "maybe"}, "missed 'maybe' is not one of: skip, once, all"),
        ({"task": None}, "task: input should be"),
        ({"task": {}}, "task.task_data is required"),
        (
            {"task": {"task_data": {"task_id": "a"}}},
            "task.task_data.task_id cannot be given: each run has an id of its own",
        ),
    ],
)
async def test_what_cannot_be_a_schedule_is_refused_with_a_sentence(
    client: httpx.AsyncClient, change: dict[str, Any], sentence: str
) -> None:
    answer = await client.post("/schedules", json=BODY | change)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(sentence)


async def test_a_schedule_whose_task_has_a_wrong_priority_is_refused(
    client: httpx.AsyncClient,
) -> None:
    body = BODY | {"task": {"task_data": {}, "priority": "soon"}}
    answer = await client.post("/schedules", json=body)
    assert (answer.status_code, answer.json()["detail"]) == (400, "Invalid priority: soon")


async def test_an_id_that_is_taken_is_a_conflict(client: httpx.AsyncClient) -> None:
    ok(await client.post("/schedules", json=BODY))
    answer = await client.post("/schedules", json=BODY)
    assert answer.status_code == 409
    assert "delete it first" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "sentence"),
    [
        ("POST", "/schedules", "Error creating schedule: boom"),
        ("GET", "/schedules", "Error listing schedules: boom"),
        ("GET", "/schedules/a", "Error getting schedule: boom"),
        ("POST", "/schedules/a/pause", "Error pausing schedule: boom"),
        ("POST", "/schedules/a/resume", "Error resuming schedule: boom"),
        ("DELETE", "/schedules/a", "Error deleting schedule: boom"),
    ],
)
async def test_what_nobody_expected_is_a_500_with_a_sentence(
    fakes: Fakes, client: httpx.AsyncClient, method: str, path: str, sentence: str
) -> None:
    fakes.failure = RuntimeError("boom")
    answer = await client.request(method, path, json=BODY if path == "/schedules" else None)
    assert (answer.status_code, said(answer)) == (500, {"detail": sentence})
