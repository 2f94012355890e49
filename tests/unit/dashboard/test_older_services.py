"""The dashboard before a service that lacks newer questions and fields, as `coordinator dashboard` may be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from coordinator.dashboard import ApiInProcess, create_dashboard

OLD: Mapping[str, Mapping[str, Any]] = {
    "/health": {"service": "agent-coordinator", "status": "healthy", "version": "1"},
    "/tasks/queues/stats": {
        "queue_sizes": {"low": 1},
        "queues": [{"queue": "tasks.any.low", "lane": "any", "priority": "low", "ready": 1}],
    },
    "/agents": {"agents": [{"agent_id": "ada", "agent_type": "worker", "status": "active"}]},
    "/tasks": {"tasks": [{"task_id": "t", "state": "completed"}]},
    "/tasks/t": {"task": {"task_id": "t", "state": "completed"}},
    "/schedules": {
        "schedules": [
            {"schedule_id": "nightly", "cron": "0 3 * * *", "next_at": "2026-01-31T03:00:00Z"}
        ]
    },
}
"""What it answers, by path, in as few fields as the client asks for."""


async def page(
    path: str, answers: Mapping[str, Mapping[str, Any]] = OLD, code: str = "path_not_found"
) -> httpx.Response:
    """``code`` is that of what it does not answer."""

    async def answer(request: Request) -> Response:
        found = answers.get(request.url.path)
        if found is not None:
            return JSONResponse(found)
        return JSONResponse({"detail": "There is none", "code": code}, 404)

    api = Starlette(routes=[Route("/{path:path}", answer)])
    async with httpx.AsyncClient(
        base_url="http://test", transport=httpx.ASGITransport(create_dashboard(ApiInProcess(api)))
    ) as client:
        return await client.get(f"/dashboard{path}")


UNTOLD = {
    "/": ["which tasks are dead"],
    "/tasks": [],
    "/tasks?parent_id=p": ["which task has submitted a task"],
    "/tasks/t": ["what has happened to a task", "why a task is where it is"],
    "/agents": [],
    "/queues": [],
    "/schedules": ["more than the next tick of a schedule"],
    "/questions": [],
    "/health": ["what the doctor finds", "which messages are parked"],
}


@pytest.mark.parametrize("path", UNTOLD)
async def test_a_page_shows_what_an_older_service_tells_and_says_what_it_does_not(
    path: str,
) -> None:
    found = await page(path)
    assert found.status_code == 200, found.text
    told = re.findall(r"The service is older than this dashboard: [^<]*", found.text)
    words = ", nor ".join(UNTOLD[path])
    older = f"The service is older than this dashboard: it does not tell {words}."
    assert told == ([older] if words else [])


@pytest.mark.parametrize(
    ("path", "question"), [("/dead", "GET /tasks/dead"), ("/parked", "GET /parked")]
)
async def test_a_page_whose_question_an_older_service_does_not_know_says_so(
    path: str, question: str
) -> None:
    found = await page(path)
    assert found.status_code == 404
    older = f"The service is older than this dashboard: it does not know {question}."
    assert older in found.text


async def test_an_agent_of_which_slots_and_types_are_not_told_has_its_card_all_the_same() -> None:
    shown = (await page("/agents")).text
    assert '<dt>Slots</dt><dd><span class="none">not told</span></dd>' in shown
    assert '<dt>Does</dt><dd><span class="none">not told</span></dd>' in shown


async def test_follow_up_tasks_of_a_service_that_passes_over_the_filter_are_not_all_tasks() -> None:
    assert 'id="t-t"' in (await page("/tasks")).text
    assert 'id="t-t"' not in (await page("/tasks?parent_id=p")).text


async def test_a_service_that_examines_nothing_is_not_older() -> None:
    answers = {**OLD, "/parked": {"parked": []}}
    shown = (await page("/health", answers, code="not_found")).text
    assert "Nothing examines this service for its pages" in shown
    assert "older than this dashboard" not in shown
