"""A request that the document allows is not refused as invalid, but for what a schema has no words for."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator

from tests.contract.fakes import over
from tests.contract.submission.submitting_app import submitting_app

from .exploring import answered

CRON = {"cron": "* * * * *"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsaid:
    """Something that is refused though the document allows it."""

    why: str
    """A schema does not say it."""
    sentence: str
    """What refuses it; the beginning of an expression."""
    body: dict[str, Any] | None = None
    query: dict[str, str] = field(default_factory=dict)
    """A request that is refused for it."""


def _a_task(**options: Any) -> dict[str, Any]:
    return {"task_data": {}} | options


_CURSOR = Unsaid(
    why="only the server knows which it gave",
    sentence="cursor: this is not one that this endpoint gave",
    query={"cursor": "x"},
)

_UNASSIGNED = "which characters are printable depends on the version of Unicode"

_METADATA: dict[str, Any] = {
    "why": "by which keys of their metadata tasks are found is a setting",
    "sentence": "metadata: .* is no key that tasks can be found by",
}
_KEY = Unsaid(**_METADATA, query={"metadata": "colour=red"})
_TAGS = Unsaid(
    why=_UNASSIGNED,
    sentence="Each of tags must consist of printable characters",
    body={"tags": ["\u0378"]},
)

UNSAID: dict[str, list[Unsaid]] = {
    "GET /tasks": [_CURSOR, _KEY],
    "GET /tasks/dead": [_KEY],
    "POST /tasks/dead/redrive": [Unsaid(**_METADATA, body={"metadata": {"colour": "red"}})],
    "POST /groups/{group_id}/cancel": [_TAGS],
    "POST /tasks/submit/batch": [
        Unsaid(
            why=_UNASSIGNED,
            sentence="(group|Each of tags) must consist of printable characters",
            body={"tasks": [], "group": "\u0378"},
        )
    ],
    "GET /tasks/{task_id}/events": [_CURSOR],
    "GET /agents": [_CURSOR],
    "GET /agents/{agent_id}/tasks": [_CURSOR, _KEY],
    "GET /parked": [_CURSOR],
    "GET /callbacks": [_CURSOR],
    "POST /agents/register": [
        Unsaid(
            why=_UNASSIGNED,
            sentence="(agent_id|version|Each of endpoints) must consist of printable characters",
            body={"agent_id": "\u0378", "agent_type": "worker"},
        ),
        Unsaid(
            why="how long a URL may be is not worth a word",
            sentence="endpoints holds a URL of more than 2048 characters",
            body={"agent_id": "a", "agent_type": "worker", "endpoints": {"a": "x" * 2049}},
        ),
        Unsaid(
            why="how deep data may be, and how large its numbers, no schema can say",
            sentence="metadata (holds a number|is nested)",
            body={"agent_id": "a", "agent_type": "worker", "metadata": {"a": 2**1024}},
        ),
    ],
    "POST /tasks/submit": [
        Unsaid(
            why="one key is compared with another, and with the time",
            sentence="expires_(at|in_seconds) is (in the past|before)",
            body=_a_task(delay_seconds=9, expires_in_seconds=5),
        ),
        Unsaid(
            why="how far ahead an instant may be is told from now",
            sentence="(not_before|expires_at) is too far away",
            body=_a_task(not_before="2199-01-01T00:00:00Z"),
        ),
        Unsaid(
            why=_UNASSIGNED,
            sentence="(task_data.task_id|Each of .*|group|requirements.*) must consist of printable",
            body={"task_data": {"task_id": "\u0378"}},
        ),
        Unsaid(
            why="of two keys that say the same one is left out",
            sentence="(delay_seconds and not_before|expires_in_seconds and expires_at) say the same",
            body=_a_task(delay_seconds=9, not_before="2030-01-01T00:00:00Z"),
        ),
        Unsaid(
            why="how deep data may be, and how large its numbers, no schema can say",
            sentence="(task_data|metadata) (holds a number|is nested)",
            body={"task_data": {"a": 2**1024}},
        ),
        Unsaid(
            why="whether callbacks are sent, and where to, is for the operator to say",
            sentence="callback: this service sends none",
            body=_a_task(callback={"url": "https://receiver.example/"}),
        ),
    ],
    "POST /schedules": [
        Unsaid(
            why="of two keys that say the same one is left out, and not both",
            sentence="cron is required, or every_seconds|cron and every_seconds cannot both",
            body={"task": _a_task()},
        ),
        Unsaid(
            why="a time zone is for a cron expression alone",
            sentence="timezone is for a cron expression",
            body={"every_seconds": 60, "timezone": "UTC", "task": _a_task()},
        ),
        Unsaid(
            why="the task is that of a submission, without what would be the same for each run",
            sentence="task.(not_before|expires_at) would be the same for each run",
            body=CRON | {"task": _a_task(not_before="2030-01-01T00:00:00Z")},
        ),
        Unsaid(
            why="the task is that of a submission, but for its id",
            sentence="task.task_data.task_id cannot be given",
            body=CRON | {"task": {"task_data": {"task_id": "a"}}},
        ),
        Unsaid(
            why="one key is compared with another",
            sentence="task.expires_in_seconds is (in the past|before)",
            body=CRON | {"task": _a_task(delay_seconds=9, expires_in_seconds=5)},
        ),
        Unsaid(
            why=_UNASSIGNED,
            sentence="(Each of task.*|task.group|task.requirements.*) must consist of printable characters",
            body=CRON | {"task": _a_task(requirements={"agent_id": "\u0378"})},
        ),
        Unsaid(
            why="whether callbacks are sent, and where to, is for the operator to say",
            sentence="task.callback: this service sends none",
            body=CRON | {"task": _a_task(callback={"url": "https://receiver.example/"})},
        ),
        Unsaid(
            why="how deep data may be, and how large its numbers, no schema can say",
            sentence="task.(task_data|metadata) (holds a number|is nested)",
            body=CRON | {"task": {"task_data": {"a": 2**1024}}},
        ),
    ],
    "PATCH /schedules/{schedule_id}": [
        Unsaid(
            why="that any one of the keys is there, most makers of clients cannot read",
            sentence="Nothing was changed, because nothing was named",
            body={},
        ),
        Unsaid(
            why="of two keys that say the same one is left out",
            sentence="cron and every_seconds cannot both",
            body=CRON | {"every_seconds": 60},
        ),
        Unsaid(
            why="the task is that of a new schedule",
            sentence="(Each of )?task[.]",
            body={"task": {"task_data": {"task_id": "a"}}},
        ),
    ],
    "POST /tasks/{task_id}/retry": [
        Unsaid(
            why="how deep data may be, and how large its numbers, no schema can say",
            sentence="task_data (holds a number|is nested)",
            body={"task_data": {"a": 2**1024}},
        )
    ],
}

ONE_BY_ONE = [(operation, one) for operation, many in UNSAID.items() for one in many]


@pytest.fixture
def app() -> FastAPI:
    return submitting_app()


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with over(app) as client:
        yield client


@pytest.mark.slow
async def test_what_the_document_allows_is_not_refused_as_invalid(app: FastAPI) -> None:
    sent = 0
    async for operation, answer in answered(app, examples=20):
        sent += 1
        if answer.status_code in {400, 422}:
            allowed = "|".join(one.sentence for one in UNSAID.get(operation, []))
            for error in answer.json()["errors"]:
                asked = (operation, answer.request.url, answer.request.content, error)
                assert allowed, asked
                assert re.match(allowed, error["message"]), asked
    assert sent > 500


@pytest.mark.parametrize(
    ("operation", "unsaid"), ONE_BY_ONE, ids=[f"{one} {two.why}" for one, two in ONE_BY_ONE]
)
async def test_what_the_document_does_not_say_is_refused_and_could_not_be_left_off_the_list(
    app: FastAPI, client: httpx.AsyncClient, operation: str, unsaid: Unsaid
) -> None:
    method, path = operation.split()
    document = app.openapi()
    if unsaid.body is not None:
        content = document["paths"][path][method.lower()]["requestBody"]["content"]
        schema = content["application/json"]["schema"] | {"components": document["components"]}
        Draft202012Validator(schema).validate(unsaid.body)
    where = re.sub(r"{\w+}", "a", path)
    body = None if unsaid.body is None else json.dumps(unsaid.body).encode()
    headers = {"Content-Type": "application/json"}
    answer = await client.request(method, where, params=unsaid.query, content=body, headers=headers)
    assert answer.status_code == 422
    assert re.match(unsaid.sentence, answer.json()["detail"])
