"""What the overview and the page of a task show, before a scripted API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from coordinator.dashboard import ApiInProcess, create_dashboard
from coordinator.dashboard.text_formats import NONE

EVENT = {
    "event_id": "1",
    "type": "task.submitted",
    "time": "2026-01-31T12:00:00+00:00",
    "generation": 1,
    "attempt": 1,
}
TASK = {"task_id": "t", "state": "queued", "task_data": {}, "submitted_at": EVENT["time"]}
HEALTH = {"service": "agent-coordinator", "status": "healthy", "version": "1"}


async def page(path: str, answers: Mapping[str, Any]) -> str:
    """The middle of it, without line breaks, where the API gives these answers."""

    async def answer(request: Request) -> Response:
        return JSONResponse(answers.get(request.url.path, {}))

    api = Starlette(routes=[Route("/{path:path}", answer)])
    async with httpx.AsyncClient(
        base_url="http://test",
        transport=httpx.ASGITransport(create_dashboard(ApiInProcess(api))),
        headers={"X-Dashboard-Part": "main"},
    ) as client:
        found = await client.get(f"/dashboard{path}")
        assert found.status_code == 200, found.text
        return re.sub(r"\s+", " ", found.text)


def overview(**figures: Any) -> dict[str, Any]:
    return {
        "/tasks/queues/stats": figures,
        "/agents": {"agents": [], "total": 0},
        "/tasks/dead": {"tasks": [], "groups": [], "total": 0},
        "/health": HEALTH,
    }


async def test_before_anything_has_started_or_ended_there_is_no_rate_and_no_mean() -> None:
    shown = await page("/", overview())
    assert f"<dt>Success rate</dt><dd>{NONE}</dd>" in shown
    assert f"<dt>Mean wait for a start</dt><dd>{NONE}</dd>" in shown
    totals = {
        "tasks_distributed": 2,
        "tasks_failed": 1,
        "avg_distribution_time": 0.25,
        "load_balancer_stats": {"success_rate": 0.0},
    }
    shown = await page("/", overview(distribution_stats=totals))
    assert "<dt>Success rate</dt><dd>0.0 %</dd>" in shown
    assert "<dt>Mean wait for a start</dt><dd>250 ms</dd>" in shown


async def test_tasks_that_nobody_takes_are_one_step_away() -> None:
    queue = {
        "queue": "tasks.cap:gpu.low",
        "lane": "cap:gpu",
        "priority": "low",
        "ready": 2,
        "oldest_waiting_seconds": 3.0,
        "requirements": {"capabilities": ["gpu"], "services": []},
    }
    for path in ("/", "/health"):
        shown = await page(path, overview(queues=[queue]))
        assert (
            '<a href="/dashboard/tasks?state=queued&amp;capability=gpu">Look at them</a>' in shown
        )
    shown = await page("/queues", overview(queues=[queue]))
    link = "/dashboard/tasks?state=queued&amp;priority=low&amp;capability=gpu"
    assert f'<a href="{link}">2</a>' in shown


async def test_a_task_names_what_keeps_an_agent_that_is_able_from_it_and_took_nothing_yet() -> None:
    explanation = {
        "task_id": "t",
        "state": "queued",
        "why": "It waits.",
        "able": [
            {"agent_id": "ada", "status": "active", "why_not": []},
            {"agent_id": "bob", "status": "inactive", "why_not": ["it has said goodbye"]},
        ],
    }
    answers = {
        "/tasks/t": {"task": TASK},
        "/tasks/t/explain": {"explanation": explanation},
        "/tasks/t/events": {"events": [EVENT]},
    }
    shown = await page("/tasks/t", answers)
    assert "<b>ada</b> can</li>" in shown
    assert "<b>bob</b> can, but not now: it has said goodbye</li>" in shown
    assert f'<td class="n">{NONE}</td><td>waits</td>' in shown


async def test_who_asks_for_nothing_in_particular_is_sent_to_the_overview() -> None:
    dashboard = create_dashboard(ApiInProcess(Starlette()), root_path="/fleet")
    async with httpx.AsyncClient(
        base_url="http://test", transport=httpx.ASGITransport(dashboard)
    ) as client:
        found = await client.get("/")
    assert (found.status_code, found.headers["location"]) == (307, "/fleet/dashboard/")
