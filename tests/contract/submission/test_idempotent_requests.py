"""The header Idempotency-Key over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from coordinator.errors import BrokerUnavailable, Conflict, LedgerUnavailable, OutcomeUnknown
from tests.contract.error_bodies import said
from tests.contract.fakes import Fakes, over

TASK: dict[str, Any] = {"task_data": {"prompt": "test prompt", "n": 1}}
SUBMIT = "/tasks/submit"
BATCH = "/tasks/submit/batch"
USED = "This Idempotency-Key was used before, for another request: choose a new one"


@pytest.fixture
def fakes() -> Fakes:
    return Fakes()


@pytest.fixture
async def client(fakes: Fakes) -> AsyncIterator[httpx.AsyncClient]:
    async with over(fakes.app()) as client:
        yield client


async def send(
    client: httpx.AsyncClient, path: str, body: Any, key: str = "key", **more: Any
) -> httpx.Response:
    return await client.post(path, json=body, headers={"Idempotency-Key": key}, **more)


@pytest.mark.parametrize("prefix", ["", "/v1"])
@pytest.mark.parametrize(("path", "body"), [(SUBMIT, TASK), (BATCH, {"tasks": [TASK, TASK]})])
async def test_the_same_key_and_body_are_done_once_and_answered_the_same(
    fakes: Fakes, client: httpx.AsyncClient, prefix: str, path: str, body: dict[str, Any]
) -> None:
    first = await send(client, prefix + path, body)
    assert (first.status_code, "Idempotency-Replayed" in first.headers) == (200, False)
    submitted = len(fakes.submitted)
    again = await send(client, path, body)
    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(fakes.submitted) == submitted


async def test_the_order_of_keys_and_spaces_do_not_make_another_body(
    client: httpx.AsyncClient,
) -> None:
    await send(client, SUBMIT, TASK)
    answer = await client.post(
        SUBMIT,
        content=b'{ "task_data": {"n": 1, "prompt": "test prompt"} }',
        headers={"Idempotency-Key": "key", "Content-Type": "application/json"},
    )
    assert answer.headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize(
    ("path", "body"),
    [(SUBMIT, TASK | {"priority": "low"}), (BATCH, {"tasks": [TASK]}), (BATCH, {"tasks": []})],
)
async def test_the_same_key_with_another_request_is_a_409(
    client: httpx.AsyncClient, path: str, body: dict[str, Any]
) -> None:
    await send(client, SUBMIT, TASK)
    answer = await send(client, path, body)
    assert (answer.status_code, said(answer)) == (409, {"detail": USED})


async def test_a_request_that_is_being_answered_elsewhere_is_a_409_to_be_repeated(
    fakes: Fakes, client: httpx.AsyncClient
) -> None:
    await send(client, SUBMIT, TASK)
    row = fakes.keys.rows["key"]
    row.body, row.held = None, True
    answer = await send(client, SUBMIT, TASK)
    assert answer.status_code == 409
    assert answer.json()["detail"] == (
        "The first request with this Idempotency-Key is still being answered: repeat it in a moment."
    )
    assert answer.headers["Retry-After"] == "1"


@pytest.mark.parametrize("path", [SUBMIT, BATCH])
@pytest.mark.parametrize("key", ["", " ", "x" * 256, "a\tb"])
async def test_a_key_that_cannot_be_one_is_a_422(
    client: httpx.AsyncClient, path: str, key: str
) -> None:
    answer = await send(client, path, {"tasks": []} | TASK, key)
    assert answer.status_code == 422
    sentence = "Idempotency-Key must have 1 to 255 printable characters"
    assert said(answer) == {
        "detail": sentence,
        "errors": [{"field": "Idempotency-Key", "message": sentence}],
    }


async def test_without_the_database_only_requests_with_a_key_are_refused(
    fakes: Fakes, client: httpx.AsyncClient
) -> None:
    fakes.keys.failure = LedgerUnavailable()
    answer = await send(client, SUBMIT, TASK)
    assert answer.status_code == 503
    assert said(answer) == {"detail": "The database cannot be reached right now."}
    assert int(answer.headers["Retry-After"]) > 0
    assert (await client.post(SUBMIT, json=TASK)).status_code == 200


async def test_after_an_unknown_outcome_the_same_key_asks_for_the_same_task(
    fakes: Fakes, client: httpx.AsyncClient
) -> None:
    fakes.failure = OutcomeUnknown(task_id="a")
    assert (await send(client, SUBMIT, TASK)).status_code == 503
    fakes.failure = None
    answer = await send(client, SUBMIT, TASK)
    assert (answer.status_code, "Idempotency-Replayed" in answer.headers) == (200, False)
    (wish,) = fakes.submitted
    assert wish.repeated
    assert wish.task_id is not None


async def test_a_batch_is_kept_once_every_verdict_is_final(
    fakes: Fakes, client: httpx.AsyncClient
) -> None:
    fakes.verdicts = [Conflict("used before"), OutcomeUnknown(task_id="b"), BrokerUnavailable()]
    body = {"tasks": [TASK, TASK, TASK, {}]}
    first = await send(client, BATCH, body)
    assert [one["status"] for one in first.json()["results"]] == [
        "rejected",
        "unknown",
        "rejected",
        "rejected",
    ]
    second = await send(client, BATCH, body)
    assert "Idempotency-Replayed" not in second.headers
    assert second.json()["accepted"] == 3
    assert [wish.repeated for wish in fakes.submitted] == [False] * 3 + [True] * 3
    ids = [wish.task_id for wish in fakes.submitted]
    assert ids[:3] == ids[3:]
    assert len(set(ids)) == 3
    assert (await send(client, BATCH, body)).headers["Idempotency-Replayed"] == "true"
