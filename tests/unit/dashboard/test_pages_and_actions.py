"""Pages and actions before a scripted API: what is told of what others have sent, and of wrong forms."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from coordinator.dashboard import ApiInProcess, create_dashboard

SCHEDULE = {
    "schedule_id": "nightly",
    "cron": "0 3 * * *",
    "timezone": "UTC",
    "missed": "skip",
    "next_at": "2026-01-31T03:00:00+00:00",
    "next_ticks": [f"2026-{day}T03:00:00+00:00" for day in ("01-31", "02-01", "02-02")],
    "task": {"task_data": {"task_type": "sum", "n": 1}, "priority": "low", "tags": ["a"]},
}
OFTEN = {**SCHEDULE, "schedule_id": "often", "cron": None, "every_seconds": 90}


class Api:
    """Knows two schedules, and keeps what it was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, Any]] = []
        self.queues: list[dict[str, Any]] = []
        self.refusals: dict[str, Response] = {}
        """By path."""

    def app(self) -> Starlette:
        every = ["GET", "POST", "PATCH", "DELETE"]
        return Starlette(routes=[Route("/{path:path}", self.answer, methods=every)])

    async def answer(self, request: Request) -> Response:
        path = request.url.path
        if path == "/whoami":
            return JSONResponse({"actor": None, "roles": ["operator"]})
        if request.method != "GET":
            body = await request.body()
            self.sent.append((request.method, path, json.loads(body) if body else None))
        if path in self.refusals:
            return self.refusals[path]
        return JSONResponse(self.told(path, further="cursor" in request.query_params))

    def told(self, path: str, *, further: bool) -> dict[str, Any]:
        *_, named, last = ["", *path.split("/")]
        answers: dict[str, dict[str, Any]] = {
            "stats": {"queues": self.queues},
            "retire": {"lane": named, "queues": ["one", "two"]},
            "retry": {"task_id": named, "was": "dead", "generation": 2},
            "schedules": {"schedules": [SCHEDULE, OFTEN], "next_cursor": None},
            "tasks": {"tasks": [], "next_cursor": None if further else "further"},
            "run": {"task_id": "run-1"},
        }
        return answers.get(last, {"schedule": OFTEN if "often" in path else SCHEDULE})


@pytest.fixture
def api() -> Api:
    return Api()


async def page(api: Api, path: str) -> httpx.Response:
    async with browser(api) as client:
        return await client.get(f"/dashboard{path}")


async def does(api: Api, action: str, **fields: str) -> httpx.Response:
    async with browser(api) as client:
        return await client.post(f"/dashboard/do/{action}", data=fields)


def browser(api: Api) -> httpx.AsyncClient:
    dashboard = create_dashboard(ApiInProcess(api.app()))
    return httpx.AsyncClient(
        base_url="http://test",
        transport=httpx.ASGITransport(dashboard, raise_app_exceptions=False),
        headers={"X-Dashboard-Part": "main"},
    )


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("redrive", {"rate_per_second": "nan"}),
        ("redrive", {"rate_per_second": "1e999", "dry_run": "1"}),
        ("edit-and-redrive", {"task_id": "t", "task_data": "{}", "delay_seconds": "inf"}),
        ("edit-and-redrive", {"task_id": "t", "task_data": '{"a": 1e999}'}),
        ("answer", {"task_id": "t", "choice": "{"}),
        ("answer", {"task_id": "t", "choice": "[" * 100_000}),
        ("answer", {"task_id": "t", "answer": "1e999"}),
        ("cancel", {"task_id": ".."}),
        ("delete", {"task_id": "."}),
        ("drain", {"agent_id": "."}),
        ("create-schedule", {"task_data": "{}", "every_seconds": "1.5"}),
        ("edit-schedule", {"schedule_id": "nightly", "cron": "0 3 * * *", "timezone": "UTC"}),
    ],
)
async def test_a_form_that_cannot_be_taken_is_answered_with_a_sentence_and_nothing_is_sent(
    action: str, fields: dict[str, str], api: Api
) -> None:
    answer = await does(api, action, **fields)
    assert answer.status_code == 422, answer.text
    assert 'class="notice bad"' in answer.text
    assert api.sent == []


@pytest.mark.parametrize("odd", ["/tasks/%2E%2E", "/tasks/", "/live/task?task_id=.."])
async def test_a_page_of_an_id_that_nothing_can_have_says_so(odd: str, api: Api) -> None:
    answer = await page(api, odd)
    assert answer.status_code == 422
    assert "cannot be in a path" in answer.text


async def test_a_page_of_tasks_on_which_none_matches_leads_to_the_next(api: Api) -> None:
    shown = (await page(api, "/tasks?tag=a")).text
    assert "None of the tasks that were looked at for this page matches" in shown
    assert 'rel="next"' in shown
    assert "cursor=further" in shown
    last = (await page(api, "/tasks?tag=a&cursor=further")).text
    assert "No older task matches these filters." in last
    assert 'rel="next"' not in last


async def test_a_schedule_with_an_interval_tells_it(api: Api) -> None:
    shown = (await page(api, "/schedules")).text
    assert "every 90 s" in shown
    assert "<code>0 3 * * *</code>" in shown
    assert "None" not in shown


async def test_the_next_ticks_of_a_schedule_are_shown(api: Api) -> None:
    shown = (await page(api, "/schedules")).text
    nightly = shown[shown.index('id="s-nightly"') : shown.index('id="s-often"')]
    for tick in SCHEDULE["next_ticks"]:
        assert f'datetime="{tick}"' in nightly


async def test_an_edit_sends_what_is_other_than_it_is(api: Api) -> None:
    answer = await does(
        api,
        "edit-schedule",
        schedule_id="nightly",
        cron="0 3 * * *",
        every_seconds="60",
        timezone="UTC",
        missed="once",
        task_data="",
    )
    assert "Schedule nightly is changed." in answer.text
    assert api.sent == [("PATCH", "/schedules/nightly", {"every_seconds": 60, "missed": "once"})]


async def test_an_edit_leaves_what_somebody_else_has_changed_since_the_form_was_shown(
    api: Api,
) -> None:
    shown = {
        "cron": "30 1 * * *",
        "every_seconds": "",
        "timezone": "Europe/Berlin",
        "missed": "skip",
    }
    was = {f"was_{name}": value for name, value in shown.items()}
    await does(api, "edit-schedule", schedule_id="nightly", **was, **{**shown, "missed": "once"})
    assert api.sent == [("PATCH", "/schedules/nightly", {"missed": "once"})]


async def test_a_form_to_edit_a_schedule_knows_what_it_has_shown(api: Api) -> None:
    shown = (await page(api, "/schedules")).text
    assert '<input type="hidden" name="was_cron" value="0 3 * * *">' in shown
    assert '<input type="hidden" name="was_every_seconds" value="90">' in shown


async def test_an_edit_of_the_data_leaves_what_else_is_said_of_the_task(api: Api) -> None:
    await does(api, "edit-schedule", schedule_id="nightly", task_data='{"n": 2}')
    task = {"task_data": {"n": 2}, "priority": "low", "tags": ["a"]}
    assert api.sent == [("PATCH", "/schedules/nightly", {"task": task})]


async def test_a_schedule_is_run_now(api: Api) -> None:
    answer = await does(api, "run-schedule", schedule_id="often")
    assert "Schedule often has submitted the task run-1." in answer.text
    assert api.sent == [("POST", "/schedules/often/run", None)]


async def test_a_schedule_is_made_with_an_interval(api: Api) -> None:
    await does(api, "create-schedule", every_seconds="90", task_data="{}")
    assert api.sent == [("POST", "/schedules", {"every_seconds": 90, "task": {"task_data": {}}})]


def queue(
    lane: str, priority: str, *, ready: int = 0, listening: int = 0, ended: bool = False
) -> dict[str, Any]:
    """``ended``: no task that has a message there is still to be done."""
    told = {"lane": lane, "priority": priority, "ready": ready, "listening": listening}
    told["oldest_waiting_seconds"] = 3.0 if ready and not ended else None
    return {"queue": f"tasks.{lane}.{priority}", **told}


async def test_a_lane_that_no_agent_serves_is_retired_after_it_was_said_what_waits_there(
    api: Api,
) -> None:
    api.queues = [
        queue("any", "normal"),
        queue("cap:served", "low", listening=1),
        queue("cap:served", "high", ready=7),
        queue("cap:left", "high", ready=2),
        queue("cap:left", "low", ready=1),
        queue("cap:empty", "low"),
    ]
    shown = (await page(api, "/queues")).text
    assert shown.count('value="cap:left"') == 2
    assert shown.count("<strong>3</strong> tasks wait in the lane") == 2
    assert "No task waits in the lane <strong>cap:empty</strong>" in shown
    assert 'value="any"' not in shown
    assert 'value="cap:served"' not in shown
    answer = await does(api, "retire-lane", lane="cap:empty")
    assert "Lane cap:empty is retired, with 2 queues." in answer.text
    assert api.sent == [("POST", "/tasks/queues/lanes/cap:empty/retire", None)]


async def test_messages_of_tasks_that_were_cancelled_are_not_said_to_wait(api: Api) -> None:
    api.queues = [queue("cap:left", "high", ready=1, ended=True)]
    shown = (await page(api, "/queues")).text
    assert "No task waits in the lane <strong>cap:left</strong>" in shown
    assert "What still lies there is of tasks that have ended" in shown
    assert "alarming" not in shown


UNKNOWN = {"detail": "The broker has not confirmed in time", "status": "error"}


@pytest.mark.parametrize("status", [500, 503, 504])
async def test_of_what_may_have_been_done_it_is_not_said_that_nothing_was(
    status: int, api: Api
) -> None:
    api.refusals["/tasks/t/retry"] = JSONResponse(UNKNOWN, status)
    async with browser(api) as client:
        del client.headers["X-Dashboard-Part"]
        answer = await client.post("/dashboard/do/retry", data={"task_id": "t"})
    assert answer.status_code == status
    assert "<title>It may have been done" in answer.text
    assert "Nothing was done" not in answer.text


async def test_of_tasks_that_were_selected_those_are_told_that_go_round_before_the_service_is_away(
    api: Api,
) -> None:
    api.refusals["/tasks/b/retry"] = Response("not JSON", 200)
    async with browser(api) as client:
        answer = await client.post(
            "/dashboard/do/retry-selected", data={"task_id": ["a", "b", "c"]}
        )
    assert "1 task goes round again; 2 do not" in answer.text


async def test_a_page_tells_how_long_it_took_to_make_so_that_a_browser_looks_no_more_often_than_that_bears(
    api: Api,
) -> None:
    clock = iter([100.0, 100.25])
    dashboard = create_dashboard(ApiInProcess(api.app()), monotonic=lambda: next(clock))
    async with httpx.AsyncClient(
        base_url="http://test", transport=httpx.ASGITransport(dashboard)
    ) as client:
        told = await client.get("/dashboard/queues")
    assert told.headers["Server-Timing"] == "total;dur=250.0"
