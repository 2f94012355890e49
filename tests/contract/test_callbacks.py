"""The shapes of what is asked and answered about callbacks."""

from __future__ import annotations

from typing import Any

import pytest

from coordinator.domain.callbacks.callback_delivery import DeliveryState
from coordinator.errors import LedgerUnavailable
from coordinator.protocol.messages.task_message import Callback
from coordinator.registry.queries.task_view import CallbackView
from coordinator.registry.stores.callback_deliveries import CallbackFilter

from .fake_callbacks import a_delivery
from .fakes import Fakes, a_task, over

URL = "https://app.example.org/hooks"

STANDING = {
    "webhook_id": "msg_1",
    "event": "completed",
    "state": "pending",
    "attempts": 2,
    "ordered_at": "2026-01-31T12:00:00+00:00",
    "next_try_at": "2026-01-31T12:00:00+00:00",
    "last_try_at": "2026-01-31T12:00:00+00:00",
    "last_status": 503,
    "last_error": "The receiver answered 503",
    "ended_at": None,
}


@pytest.fixture
def fakes() -> Fakes:
    return Fakes()


async def call(fakes: Fakes, method: str, path: str, **more: Any) -> tuple[int, dict[str, Any]]:
    from coordinator.api import create_app

    async with over(create_app(fakes.services())) as http:
        answer = await http.request(method, path, **more)
        body: dict[str, Any] = answer.json()
        return answer.status_code, body


async def test_a_submission_passes_its_callback_on(fakes: Fakes) -> None:
    status, _ = await call(
        fakes, "POST", "/tasks/submit", json={"task_data": {}, "callback": {"url": URL}}
    )
    assert status == 200
    assert fakes.submitted[0].callback == Callback(url=URL, events=("ended",), secret_ref="default")


async def test_all_of_a_callback_is_read_and_a_word_that_comes_twice_counts_once(
    fakes: Fakes,
) -> None:
    asked = {"url": URL, "events": ["dead", "started", "dead"], "secret_ref": "other"}
    await call(
        fakes, "POST", "/tasks/submit/batch", json={"tasks": [{"task_data": {}, "callback": asked}]}
    )
    assert fakes.submitted[0].callback == Callback(
        url=URL, events=("dead", "started"), secret_ref="other"
    )


async def test_null_is_no_callback_and_unknown_keys_in_it_are_named(fakes: Fakes) -> None:
    await call(fakes, "POST", "/tasks/submit", json={"task_data": {}, "callback": None})
    assert fakes.submitted[0].callback is None
    _, answer = await call(
        fakes,
        "POST",
        "/tasks/submit",
        json={"task_data": {}, "callback": {"url": URL, "secret": "word"}},
    )
    assert "'callback.secret' (did you mean" in answer["warning"]
    assert "word" not in answer["warning"]


@pytest.mark.parametrize(
    ("callback", "field"),
    [
        ({}, "callback.url"),
        ({"url": 5}, "callback.url"),
        ({"url": URL, "events": "ended"}, "callback.events"),
        ({"url": URL, "events": [5]}, "callback.events.0"),
        ({"url": URL, "secret_ref": 5}, "callback.secret_ref"),
        ("https://app.example.org", "callback"),
    ],
)
async def test_what_is_no_callback_is_a_422_that_names_the_field(
    fakes: Fakes, callback: Any, field: str
) -> None:
    status, answer = await call(
        fakes, "POST", "/tasks/submit", json={"task_data": {}, "callback": callback}
    )
    assert (status, answer["errors"][0]["field"]) == (422, field)


async def test_a_task_tells_how_its_callback_stands(fakes: Fakes) -> None:
    fakes.tasks["task-1"] = a_task(
        callback=CallbackView(asked=Callback(url=URL), deliveries=[a_delivery()])
    )
    _, answer = await call(fakes, "GET", "/tasks/task-1")
    assert answer["task"]["callback"] == {
        "url": URL,
        "events": ["ended"],
        "secret_ref": "default",
        "deliveries": [STANDING],
    }
    fakes.tasks["task-1"] = a_task()
    _, answer = await call(fakes, "GET", "/tasks/task-1")
    assert answer["task"]["callback"] is None


async def test_deliveries_are_listed_by_filters_and_pages(fakes: Fakes) -> None:
    fakes.callbacks.following = (5, "msg_1")
    status, answer = await call(
        fakes, "GET", "/callbacks?state=dead&task_id=a&host=app.example.org&limit=1"
    )
    assert status == 200
    assert answer["callbacks"] == [
        {"task_id": "task-1", "url": URL, "secret_ref": "default", **STANDING}
    ]
    assert fakes.callbacks.asked == [
        CallbackFilter(state=DeliveryState.DEAD, task_id="a", host="app.example.org")
    ]
    await call(fakes, "GET", f"/callbacks?cursor={answer['next_cursor']}")
    assert fakes.callbacks.after == [None, (5, "msg_1")]


@pytest.mark.parametrize("query", ["state=asleep", "limit=0", "cursor=x", "host=a%00b"])
async def test_a_filter_that_none_can_match_is_a_422(fakes: Fakes, query: str) -> None:
    assert (await call(fakes, "GET", f"/callbacks?{query}"))[0] == 422
    assert fakes.callbacks.asked == []


async def test_dead_ones_are_redriven_and_what_is_misspelt_redrives_none(fakes: Fakes) -> None:
    status, answer = await call(fakes, "POST", "/callbacks/redrive", json={"host": "h"})
    assert (status, answer["redriven"], answer["dry_run"]) == (200, 3, False)
    assert fakes.callbacks.asked == [CallbackFilter(host="h")]
    assert (await call(fakes, "POST", "/callbacks/redrive", json={"hosts": "h"}))[0] == 422
    assert (await call(fakes, "POST", "/callbacks/redrive?host=h"))[0] == 422
    assert len(fakes.callbacks.asked) == 1
    _, counted = await call(fakes, "POST", "/callbacks/redrive", json={"dry_run": True})
    assert counted["message"] == "3 dead callbacks would be tried again"
    fakes.callbacks.dead = 1
    _, one = await call(fakes, "POST", "/callbacks/redrive")
    assert one["message"] == "1 dead callback is tried again"


async def test_without_the_database_both_are_a_503(fakes: Fakes) -> None:
    fakes.failure = LedgerUnavailable()
    assert (await call(fakes, "GET", "/callbacks"))[0] == 503
    assert (await call(fakes, "POST", "/callbacks/redrive"))[0] == 503


async def test_a_schedule_keeps_the_callback_of_its_task(fakes: Fakes) -> None:
    task = {"task_data": {}, "callback": {"url": URL, "events": ["dead"]}}
    status, answer = await call(
        fakes, "POST", "/schedules", json={"cron": "* * * * *", "task": task}
    )
    assert status == 200
    assert answer["schedule"]["task"]["callback"] == {"url": URL, "events": ["dead"]}


async def test_the_document_describes_what_a_receiver_gets(fakes: Fakes) -> None:
    _, document = await call(fakes, "GET", "/openapi.json")
    (place,) = document["paths"]["/tasks/submit"]["post"]["callbacks"]["told"].items()
    assert place[0] == "{$request.body#/callback/url}"
    body = place[1]["post"]["requestBody"]["content"]["application/cloudevents+json"]
    assert body["schema"]["$ref"].endswith("/CallbackEvent")
    assert "CallbackEvent" in document["components"]["schemas"]
