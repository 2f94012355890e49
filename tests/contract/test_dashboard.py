"""The way to the dashboard, what each answer of it has, and what it refuses; without a browser."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from html import unescape
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.types import ASGIApp

from coordinator.access.roles import Role
from coordinator.api import EdgeRules, create_app, guarded
from coordinator.api.wire.fields.page_fields import PageQuery
from coordinator.api.wire.task_pages import TaskQuery
from coordinator.broker.asyncio_cancel import cancel_and_wait
from coordinator.client import Tls
from coordinator.dashboard import ApiInProcess, RemoteApi, create_dashboard
from coordinator.registry.queries.task_filter import TaskFilter
from coordinator.web_server.http_server import serving
from coordinator.web_server.server_socket import address, bind
from tests.support.api_keys import authenticator_with
from tests.support.ports import free_port
from tests.support.recorded import recorded

from .fakes import Fakes, a_task, an_agent

NOON, ONE = "2026-01-31T12:00:00Z", "2026-01-31T13:00:00Z"
Visits = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@asynccontextmanager
async def visiting(
    fakes: Fakes, rules: EdgeRules | None = None, **changes: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """Over a real socket, as far as the fakes go."""
    rules = rules or EdgeRules()

    def pages(api: ASGIApp) -> ASGIApp:
        return create_dashboard(ApiInProcess(api), root_path=rules.root_path)

    app = create_app(fakes.services(**changes), rules, pages)
    listener = bind("127.0.0.1", 0)
    async with (
        serving(app, listener),
        httpx.AsyncClient(base_url=address(listener), trust_env=False) as http,
    ):
        yield http


async def test_a_browser_that_asks_for_the_root_is_sent_to_the_dashboard_and_nobody_else() -> None:
    async with visiting(Fakes()) as http:
        sent = await http.get("/", headers=BROWSER)
        assert (sent.status_code, sent.headers["Location"]) == (303, "/dashboard/")
        assert sent.headers["Vary"] == "Accept"
        for accept in ("*/*", "application/json", "application/json, text/plain, */*"):
            told = await http.get("/", headers={"Accept": accept})
            assert told.json()["service"] == "Agent Coordinator"
        assert (await http.get("/dashboards")).status_code == 404
        assert (await http.get("/v1/", headers=BROWSER)).json()["service"] == "Agent Coordinator"


async def test_behind_a_proxy_links_have_the_path_in_front() -> None:
    async with visiting(Fakes(), EdgeRules(root_path="/fleet")) as http:
        sent = await http.get("/fleet/", headers=BROWSER)
        assert sent.headers["Location"] == "/fleet/dashboard/"
        page = await http.get("/fleet/dashboard/schedules")
        assert 'href="/fleet/dashboard/static/dashboard.css"' in page.text
        assert 'href="/dashboard' not in page.text


@asynccontextmanager
async def visiting_apart(
    fakes: Fakes, rules: EdgeRules, **changes: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """As `coordinator dashboard` serves the pages of a service at an address of its own."""
    async with visiting(fakes, **changes) as service:
        api = RemoteApi(str(service.base_url).rstrip("/"))
        listener = bind("127.0.0.1", 0)
        async with (
            serving(guarded(create_dashboard(api, root_path=rules.root_path), rules), listener),
            httpx.AsyncClient(base_url=address(listener), trust_env=False) as http,
        ):
            yield http
        await api.close()


@asynccontextmanager
async def fed(fakes: Fakes) -> AsyncIterator[None]:
    """Streams of events are told what happens meanwhile."""
    feeding = asyncio.create_task(fakes.feed.run())
    try:
        yield
    finally:
        await cancel_and_wait(feeding)


def addresses_in(page: str) -> set[str]:
    """All that a browser may ask for from it."""
    named = r'\b(href|src|action|data-live|data-output|data-base)="([^"#]+)"'
    return {unescape(address) for _, address in re.findall(named, page)}


@pytest.mark.parametrize("way", [visiting, visiting_apart])
async def test_below_a_path_and_with_keys_people_sign_in_look_at_all_pages_act_and_see_it_live(
    way: Visits,
) -> None:
    authenticator, secrets = await authenticator_with(operator=(Role.OPERATOR,))
    fakes = Fakes()
    fakes.tasks = fakes.browsing._tasks = {"task-1": a_task(state="running")}
    fakes.agents = fakes.browsing._agents = {"ada": an_agent(agent_id="ada")}
    base = "/fleet/dashboard"
    async with (
        fed(fakes),
        way(fakes, EdgeRules(root_path="/fleet"), authenticator=authenticator) as http,
    ):
        sent = await http.get(f"{base}/tasks")
        assert sent.headers["Location"] == f"{base}/sign-in"
        signed = await http.post(f"{base}/sign-in", data={"key": secrets["operator"]})
        assert (signed.status_code, signed.headers["Location"]) == (303, f"{base}/")

        seen, coming = set[str](), {f"{base}/"}
        while coming:
            path = coming.pop()
            seen.add(path)
            page = await http.get(path)
            gone = path == f"{base}/parked/2"  # the fakes list it, and have the first alone
            assert page.status_code == (404 if gone else 200), path
            if page.headers["Content-Type"].startswith("text/html"):
                found = addresses_in(page.text)
                assert {one for one in found if not one.startswith(base)} == set(), path
                pages = {one for one in found if "/do/" not in one and "/live/" not in one}
                coming |= pages - seen - {base, f"{base}/sign-out"}
        assert {f"{base}/tasks/task-1", f"{base}/health", f"{base}/static/dashboard.js"} <= seen

        done = await http.post(f"{base}/do/cancel", data={"task_id": "task-1", "reason": "enough"})
        assert done.status_code == 200
        assert fakes.reasons == ["enough"]

        async with http.stream("GET", f"{base}/live/changes?type=task.*") as stream:
            lines = stream.aiter_lines()
            assert await anext(lines) == ": open"
            fakes.events.events.append(recorded(1))
            fakes.feed.nudge()
            assert "event: changed" in [await anext(lines) for _ in range(3)]

        left = await http.post(f"{base}/sign-out")
        assert left.headers["Location"] == f"{base}/sign-in"
        assert (await http.get(f"{base}/tasks")).status_code == 303


async def test_every_answer_keeps_to_itself() -> None:
    async with visiting(Fakes()) as http:
        for path in ("/", "/nowhere", "/static/dashboard.css", "/do/cancel", "/static/nothing.js"):
            answer = await http.get(f"/dashboard{path}")
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'self'" in policy
            assert "unsafe" not in policy
            assert answer.headers["X-Frame-Options"] == "DENY"
            assert answer.headers["Cache-Control"] in {"no-store", "no-cache"}
            assert "style=" not in answer.text
            assert "<script>" not in answer.text


async def test_what_tasks_say_is_text_and_never_markup() -> None:
    fakes = Fakes()
    task_data = {"task_type": "<script>alert(1)</script>"}
    task = a_task(task_id="<b>&", task_data=task_data)
    fakes.tasks = fakes.browsing._tasks = {"<b>&": task}
    async with visiting(fakes) as http:
        page = (await http.get("/dashboard/tasks/%3Cb%3E%26")).text
        assert "&lt;b&gt;&amp;" in page
        assert "<b>&" not in page
        assert "<script>alert" not in page


async def test_the_page_of_a_task_leads_to_its_parent_and_to_its_follow_up_tasks() -> None:
    fakes = Fakes()
    fakes.tasks["mail"] = a_task(task_id="mail", parent_id="order/1")
    async with visiting(fakes) as http:
        page = (await http.get("/dashboard/tasks/mail")).text
        assert 'href="/dashboard/tasks/order%2F1">order/1</a>' in page
        assert 'href="/dashboard/tasks?parent_id=mail"' in page
        await http.get("/dashboard/tasks?parent_id=mail")
        wanted, *_ = fakes.browsing.asked
        assert wanted == TaskFilter(parent_id="mail")


async def test_each_filter_of_the_api_has_a_field_on_the_page_of_tasks_and_is_handed_on() -> None:
    filters = set(TaskQuery.model_fields) - set(PageQuery.model_fields)
    fakes = Fakes()
    given: dict[str, str] = {
        **dict.fromkeys(filters, "a"),
        "state": "dead",
        "priority": "low",
        "metadata": "customer=a",
        "submitted_after": "2026-01-31T12:00",
        "submitted_before": "2026-01-31T13:00",
    }
    async with visiting(fakes, metadata_keys=frozenset({"customer"})) as http:
        page = (await http.get("/dashboard/tasks", params=given)).text
        form = page[page.index('class="filters"') : page.index("</form>")]
        assert set(re.findall(r'name="(\w+)"', form)) == filters
        wanted, *_ = fakes.browsing.asked
        query = {**given, "submitted_after": NOON, "submitted_before": ONE}
        lists = {"state", "priority", "capability", "service", "tag", "metadata"}
        read = {name: [text] if name in lists else text for name, text in query.items()}
        asked = TaskQuery.model_validate(read).filter(frozenset({"customer"}))
        assert wanted == asked
        assert TaskFilter() not in (wanted, asked)


@pytest.mark.parametrize(
    "told",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:3000"},
        {"Origin": "null"},
    ],
)
async def test_a_form_of_a_page_elsewhere_does_nothing(told: dict[str, str]) -> None:
    fakes = Fakes()
    fakes.tasks["t"] = a_task(task_id="t")
    async with visiting(fakes) as http:
        for path in ("/do/cancel", "/sign-in", "/sign-out"):
            answer = await http.post(f"/dashboard{path}", data={"task_id": "t"}, headers=told)
            assert answer.status_code == 403
        assert not fakes.reasons
        answer = await http.post("/dashboard/do/cancel", data={"task_id": "t"})
        assert answer.status_code == 200


async def test_with_keys_a_page_leads_to_the_key_and_a_script_is_told_where() -> None:
    authenticator, secrets = await authenticator_with(reader=(Role.READER,))
    async with visiting(Fakes(), authenticator=authenticator) as http:
        sent = await http.get("/dashboard/tasks")
        assert (sent.status_code, sent.headers["Location"]) == (303, "/dashboard/sign-in")
        told = await http.get("/dashboard/tasks", headers={"X-Dashboard-Part": "main"})
        assert told.status_code == 401
        assert told.headers["X-Dashboard-Location"] == "/dashboard/sign-in"
        assert (await http.get("/dashboard/live/changes?type=task.*")).status_code == 401
        assert (await http.get("/dashboard/static/dashboard.js")).status_code == 200
        long = await http.post("/dashboard/sign-in", data={"key": "x" * 4000})
        assert long.status_code == 422
        await http.post("/dashboard/sign-in", data={"key": secrets["reader"]})
        assert (await http.get("/dashboard/schedules")).status_code == 200
        refused = await http.post("/dashboard/do/pause-schedule", data={"schedule_id": "s"})
        assert refused.status_code == 403
        assert "This needs the role operator" in refused.text
        name = f"coordinator_key_{http.base_url.port}"
        http.cookies.set(name, "a key with spaces", path="/dashboard")
        assert (await http.get("/dashboard/live/changes")).status_code in {401, 422}


async def test_two_dashboards_on_one_host_are_signed_into_and_out_of_each_for_itself() -> None:
    first, first_secrets = await authenticator_with(reader=(Role.READER,))
    second, second_secrets = await authenticator_with(reader=(Role.READER,))
    async with (
        visiting(Fakes(), authenticator=first) as http,
        visiting(Fakes(), authenticator=second) as other,
    ):
        one, two = (str(site.base_url.join("/dashboard")) for site in (http, other))
        for base, secrets in ((one, first_secrets), (two, second_secrets)):
            await http.post(f"{base}/sign-in", data={"key": secrets["reader"]})
        for base in (one, two):
            assert (await http.get(f"{base}/tasks")).status_code == 200
        await http.post(f"{two}/sign-out")
        assert (await http.get(f"{two}/tasks")).status_code == 303
        assert (await http.get(f"{one}/tasks")).status_code == 200


@asynccontextmanager
async def over_asgi(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(base_url="http://127.0.0.1", transport=transport) as http:
        yield http


async def test_apart_from_the_service_it_shows_the_same_and_says_when_nothing_answers() -> None:
    fakes = Fakes()
    fakes.tasks = fakes.browsing._tasks = {"t": a_task(task_id="t")}
    async with visiting(fakes) as service:
        api = RemoteApi(str(service.base_url).rstrip("/"), tls=Tls())
        async with over_asgi(create_dashboard(api)) as http:
            for _ in range(2):  # over the connections that they share
                page = await http.get("/dashboard/tasks/t")
                assert page.status_code == 200
        await api.close()
    api = RemoteApi(f"http://127.0.0.1:{free_port()}")
    async with over_asgi(create_dashboard(api)) as http:
        page = await http.get("/dashboard/")
        assert page.status_code == 502
        assert "The coordinator does not answer" in page.text
    await api.close()
