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
COMING = [AT, *(f"2026-02-{day:02}T02:30:00+00:00" for day in range(1, 5))]
IN_LISTS = {
    "schedule_id": "nightly",
    "cron": "30 3 * * *",
    "every_seconds": None,
    "timezone": "Europe/Vienna",
    "missed": "skip",
    "task_type": "summary",
    "created_at": AT,
    "created_by": None,
    "paused": False,
    "next_at": AT,
    "next_ticks": COMING[:3],
    "last_run_at": None,
    "last_task_id": None,
    "last_error": None,
}
SHAPE = {
    **IN_LISTS,
    "next_ticks": COMING,
    "task": {"task_data": {"task_type": "summary"}, "priority": "low"},
}
BODIES = {("POST", "/schedules"): BODY, ("PATCH", "/schedules/a"): {"missed": "once"}}
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
        ({"cron": None}, "cron is required, or every_seconds in its place"),
        ({"cron": 7}, "cron: input should be a valid string"),
        ({"every_seconds": 60}, "cron and every_seconds cannot both be given"),
        (
            {"cron": None, "every_seconds": 60},
            "timezone is for a cron expression: leave it out beside every_seconds",
        ),
        (
            {"cron": None, "every_seconds": 0},
            "every_seconds: input should be greater than or equal",
        ),
        ({"cron": None, "every_seconds": True}, "every_seconds: "),
        ({"cron": "@every 5s"}, "cron '@every 5s' is no cron expression: write every_seconds"),
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
        ("PATCH", "/schedules/a", "Error changing schedule: boom"),
        ("POST", "/schedules/a/run", "Error running schedule: boom"),
        ("DELETE", "/schedules/a", "Error deleting schedule: boom"),
    ],
)
async def test_what_nobody_expected_is_a_500_with_a_sentence(
    fakes: Fakes, client: httpx.AsyncClient, method: str, path: str, sentence: str
) -> None:
    fakes.failure = RuntimeError("boom")
    answer = await client.request(method, path, json=BODIES.get((method, path)))
    assert (answer.status_code, said(answer)) == (500, {"detail": sentence})


async def test_a_schedule_may_have_an_interval(client: httpx.AsyncClient) -> None:
    body = {"every_seconds": 90, "task": BODY["task"]}
    told = ok(await client.post("/schedules", json=body))["schedule"]
    assert (told["cron"], told["every_seconds"], told["timezone"]) == (None, 90, "UTC")
    assert len(told["next_ticks"]) == 5
    listed = ok(await client.get("/schedules"))["schedules"][0]
    assert (listed["cron"], listed["every_seconds"], len(listed["next_ticks"])) == (None, 90, 3)


async def test_a_paused_schedule_shows_no_ticks(client: httpx.AsyncClient) -> None:
    ok(await client.post("/schedules", json=BODY))
    assert ok(await client.post("/schedules/nightly/pause"))["schedule"]["next_ticks"] == []


@PREFIXES
async def test_a_schedule_is_changed_in_what_is_named(
    client: httpx.AsyncClient, prefix: str
) -> None:
    ok(await client.post("/schedules", json=BODY))
    path = f"{prefix}/schedules/nightly"
    assert ok(await client.patch(path, json={"missed": "all", "task": None})) == {
        "schedule": SHAPE | {"missed": "all"}
    }
    task = {"task_data": {"task_type": "other"}}
    told = ok(await client.patch(path, json={"task": task}))["schedule"]
    assert (told["task"], told["missed"]) == (task, "all")
    told = ok(await client.patch(path, json={"every_seconds": 60}))["schedule"]
    assert (told["cron"], told["every_seconds"]) == (None, 60)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "Nothing was changed, because nothing was named: send cron"),
        ({"cron": None}, "Nothing was changed, because nothing was named: send cron"),
        ({"corn": "* * * * *"}, "Nothing was done, because these keys are unknown: 'corn'"),
        ({"cron": "* * * * *", "every_seconds": 60}, "cron and every_seconds cannot both be given"),
        ({"missed": "maybe"}, "missed 'maybe' is not one of: skip, once, all"),
        ({"task": {}}, "task.task_data is required"),
        (
            {"task": {"task_data": {"task_id": "a"}}},
            "task.task_data.task_id cannot be given: each run has an id of its own",
        ),
    ],
)
async def test_a_change_that_cannot_be_is_refused_with_a_sentence(
    client: httpx.AsyncClient, body: dict[str, Any], sentence: str
) -> None:
    ok(await client.post("/schedules", json=BODY))
    answer = await client.patch("/schedules/nightly", json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(sentence)
    assert ok(await client.get("/schedules/nightly")) == {"schedule": SHAPE}


@PREFIXES
async def test_a_schedule_is_run_now_beside_its_ticks(
    fakes: Fakes, client: httpx.AsyncClient, prefix: str
) -> None:
    ok(await client.post("/schedules", json=BODY))
    ok(await client.post("/schedules/nightly/pause"))
    told = ok_with_task(await client.post(f"{prefix}/schedules/nightly/run"))
    assert told["schedule_id"] == "nightly"
    assert told["message"] == "Schedule nightly submitted a task"
    (run,) = fakes.submitted
    assert (run.task_data, told["priority"]) == ({"task_type": "summary"}, "low")
    paused = {**SHAPE, "paused": True, "next_ticks": []}
    assert ok(await client.get("/schedules/nightly")) == {"schedule": paused}


async def test_a_run_with_a_key_may_be_repeated(fakes: Fakes, client: httpx.AsyncClient) -> None:
    for name in ("nightly", "daily"):
        ok(await client.post("/schedules", json=BODY | {"schedule_id": name}))
    key = {"Idempotency-Key": "now"}
    once = await client.post("/schedules/nightly/run", headers=key)
    again = await client.post("/schedules/nightly/run", headers=key)
    assert again.json() == once.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(fakes.submitted) == 1
    assert (await client.post("/schedules/daily/run", headers=key)).status_code == 409


async def test_a_run_with_a_key_is_answered_again_after_its_schedule_was_deleted(
    fakes: Fakes, client: httpx.AsyncClient
) -> None:
    ok(await client.post("/schedules", json=BODY))
    key = {"Idempotency-Key": "now"}
    once = await client.post("/schedules/nightly/run", headers=key)
    ok(await client.delete("/schedules/nightly"))
    again = await client.post("/schedules/nightly/run", headers=key)
    assert (again.status_code, again.json()) == (200, once.json())
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(fakes.submitted) == 1
    other = await client.post("/schedules/nightly/run", headers={"Idempotency-Key": "then"})
    assert other.status_code == 404
    ok(await client.post("/schedules", json=BODY))
    made = await client.post("/schedules/nightly/run", headers={"Idempotency-Key": "then"})
    assert made.status_code == 200, "a refusal leaves the key unused"


def ok_with_task(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    assert body["task_id"]
    return body
