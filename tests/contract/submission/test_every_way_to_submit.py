"""A task is refused by the same rules however it is submitted: alone, in a batch, and by a schedule."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.api.wire.task_submission import BackoffBody, SubmitTaskBody, TaskRequirements
from tests.contract.error_bodies import said
from tests.contract.fakes import over

from .submitting_app import submitting_app


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with over(submitting_app()) as client:
        yield client


async def submit_all_ways(
    client: httpx.AsyncClient, task: dict[str, Any]
) -> list[tuple[int, Any, str]]:
    """Status, first field and sentence of each way to submit, in the words of the task."""
    alone = await client.post("/tasks/submit", json=task)
    batch = await client.post("/tasks/submit/batch", json={"tasks": [task]})
    (told,) = batch.json()["results"]
    schedule = await client.post("/schedules", json={"cron": "* * * * *", "task": task})
    bodies = [
        (alone.status_code, alone.json()),
        (told.get("error", {}).get("status_code", 200), told.get("error", {})),
        (schedule.status_code, schedule.json()),
    ]
    return [
        (
            status,
            body.get("errors", [{}])[0].get("field", "").removeprefix("task."),
            body.get("detail", "").replace("task.", "", 1),
        )
        for status, body in bodies
    ]


LONG = "x" * 129

REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"timeout_seconds": -1}, "timeout_seconds", "timeout_seconds must be more than 0"),
    ({"timeout_seconds": 0}, "timeout_seconds", "timeout_seconds must be more than 0"),
    ({"timeout_seconds": 604801}, "timeout_seconds", "and at most 604800"),
    ({"progress_timeout_seconds": -1}, "progress_timeout_seconds", "must be more than 0"),
    ({"max_attempts": 0}, "max_attempts", "max_attempts must be from 1 to 100"),
    ({"max_attempts": 101}, "max_attempts", "max_attempts must be from 1 to 100"),
    ({"backoff": {"factor": 0.5}}, "backoff.factor", "backoff.factor must be from 1 to 100"),
    ({"backoff": {"first_seconds": -1}}, "backoff.first_seconds", "must be 0 or more"),
    ({"backoff": {"longest_seconds": -1}}, "backoff.longest_seconds", "must be 0 or more"),
    ({"backoff": {"factor": 1e9}}, "backoff.factor", "backoff.factor must be from 1 to 100"),
    ({"delay_seconds": -1}, "delay_seconds", "delay_seconds must be 0 or more"),
    ({"delay_seconds": 1e9}, "delay_seconds", "and at most 31622400"),
    ({"expires_in_seconds": 0}, "expires_in_seconds", "must be more than 0"),
    (
        {"expires_in_seconds": 5, "delay_seconds": 9},
        "expires_in_seconds",
        "is before the task's time comes: the task could never start",
    ),
    (
        {"requirements": {"capabilities": [""]}},
        "requirements.capabilities",
        "Each of requirements.capabilities must have 1 to 128 characters",
    ),
    ({"requirements": {"services": ["\n"]}}, "requirements.services", "printable"),
    ({"requirements": {"agent_type": LONG}}, "requirements.agent_type", "1 to 128 characters"),
    ({"requirements": {"agent_id": LONG}}, "requirements.agent_id", "1 to 128 characters"),
    (
        {"requirements": {"capabilities": [str(n) for n in range(33)]}},
        "requirements.capabilities",
        "has 33 entries; at most 32",
    ),
    ({"metadata": {"big": 2**1024}}, "metadata", "metadata"),
]


@pytest.mark.parametrize(("change", "field", "sentence"), REFUSED)
async def test_every_way_refuses_it_with_its_path_and_the_same_sentence(
    client: httpx.AsyncClient, change: dict[str, Any], field: str, sentence: str
) -> None:
    alone, batch, schedule = await submit_all_ways(
        client, {"task_data": {"task_type": "no-op"}} | change
    )
    assert alone[:2] == (422, field)
    assert sentence in alone[2]
    assert batch == alone
    assert schedule == alone


async def test_the_path_in_a_schedule_is_that_of_its_body(client: httpx.AsyncClient) -> None:
    task = {"task_data": {}, "backoff": {"factor": 0.5}}
    answer = await client.post("/schedules", json={"cron": "* * * * *", "task": task})
    sentence = "task.backoff.factor must be from 1 to 100"
    assert said(answer) == {
        "detail": sentence,
        "errors": [{"field": "task.backoff.factor", "message": sentence}],
    }


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"not_before": "2030-01-01T00:00:00Z"}, "task.not_before would be the same for each run"),
        ({"expires_at": "2030-01-01T00:00:00Z"}, "task.expires_at would be the same for each run"),
        ({"not_before": "tomorrow"}, "task.not_before would be the same for each run"),
    ],
)
async def test_a_schedule_has_no_instants_that_do_not_recur(
    client: httpx.AsyncClient, change: dict[str, Any], sentence: str
) -> None:
    body = {"cron": "* * * * *", "task": {"task_data": {}} | change}
    answer = await client.post("/schedules", json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(sentence)


FIELDS: list[tuple[str, ...]] = [
    *((name,) for name in SubmitTaskBody.model_fields),
    *(("requirements", name) for name in TaskRequirements.model_fields),
    *(("backoff", name) for name in BackoffBody.model_fields),
    *(("task_data", name) for name in ("task_id", "task_type")),
]
WRONG: list[Any] = [
    *(
        None,
        True,
        False,
        0,
        -1,
        0.5,
        10**9,
        1e308,
        10**400,
        2**63,
        "",
        "x",
        "5",
        "\x00",
        "\n",
        LONG,
    ),
    *("2030-01-01T00:00:00Z", [], [1], [None], [""], ["x"] * 40, [[]], {}, {"a": 1}, {"a": None}),
]
FOR_NO_SCHEDULE = {("not_before",), ("expires_at",), ("task_data", "task_id")}
"""Fields that a schedule refuses wherever they are given, with a sentence of its own."""


@pytest.mark.parametrize("path", FIELDS, ids=".".join)
async def test_whichever_field_is_wrong_every_door_says_the_same(
    client: httpx.AsyncClient, path: tuple[str, ...]
) -> None:
    differ = []
    for value in WRONG:
        task: dict[str, Any] = {"task_data": {"task_type": "no-op"}}
        inner = task
        for name in path[:-1]:
            inner = inner.setdefault(name, {})
        inner[path[-1]] = value
        alone, batch, schedule = await submit_all_ways(client, task)
        refused = path in FOR_NO_SCHEDULE and value is not None
        if refused:
            assert schedule[:2] == (422, ".".join(path))
        if batch != alone or (schedule != alone and not refused):
            differ.append((value, alone, batch, schedule))
    assert differ == []


async def test_a_body_that_is_no_object_is_told_so_in_no_words_of_python(
    client: httpx.AsyncClient,
) -> None:
    for told in await submit_all_ways(client, {"task_data": {}, "requirements": 7}):
        assert told == (422, "requirements", "requirements: input should be a valid dictionary")


numbers = (
    st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()
)
words = st.none() | st.text(max_size=140)
tasks = st.fixed_dictionaries(
    {"task_data": st.dictionaries(st.sampled_from(["task_type", "a"]), words)},
    optional={
        "timeout_seconds": numbers,
        "progress_timeout_seconds": numbers,
        "max_attempts": numbers,
        "delay_seconds": numbers,
        "expires_in_seconds": numbers,
        "priority": st.sampled_from(["low", None, "HIGH", "soon"]),
        "backoff": st.dictionaries(
            st.sampled_from(["first_seconds", "factor", "longest_seconds"]), numbers
        ),
        "requirements": st.fixed_dictionaries(
            {}, optional={"capabilities": st.lists(words), "agent_type": words, "agent_id": words}
        ),
        "metadata": st.none() | st.dictionaries(words.filter(bool), numbers),
    },
)


@given(tasks)
def test_whatever_is_asked_every_way_says_the_same_and_none_is_surprised(
    task: dict[str, Any],
) -> None:
    async def all_ways() -> list[tuple[int, Any, str]]:
        async with over(submitting_app()) as client:
            return await submit_all_ways(client, task)

    alone, batch, schedule = asyncio.run(all_ways())
    assert alone[0] in (200, 400, 422)
    assert (batch[0], schedule[0]) == (alone[0], alone[0])
