"""What a page in a browser can do to a service on loopback: nothing, unless an operator named its origin.

True actors are programs, the service's own pages and pages of named origins; false ones are pages elsewhere,
also those that come under a name of their own that leads to loopback.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from coordinator.api import EdgeRules, create_app
from coordinator.web_server.http_server import serving
from coordinator.web_server.server_socket import address, bind
from tests.contract.fakes import Fakes, a_task

JSON = {"Content-Type": "application/json"}

BOARD = "https://board.example.org"

ACTS: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/tasks/submit", {"task_data": {"n": 1}}),
    ("POST", "/v1/tasks/submit", {"task_data": {"n": 1}}),
    ("POST", "/tasks/submit/batch", {"tasks": [{"task_data": {"n": 1}}]}),
    ("POST", "/tasks/queues/normal/clear", {}),
    ("POST", "/tasks/t/cancel", {}),
    ("POST", "/tasks/t/input", {"answer": "yes"}),
    ("POST", "/tasks/t/retry", {}),
    ("POST", "/tasks/dead/redrive", {}),
    ("POST", "/agents/a/drain", {}),
    ("DELETE", "/agents/a", {}),
    ("PUT", "/agents/a/status", {"status": "busy"}),
    ("POST", "/no/such/path", {}),
]

PAGES: dict[str, dict[str, str]] = {
    "another site": {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
    "another site, in an old browser": {"Origin": "https://evil.example"},
    "a sandbox": {"Origin": "null"},
    "another port of this machine": {
        "Sec-Fetch-Site": "same-site",
        "Origin": "http://localhost:3000",
    },
    "another port, in an old browser": {"Origin": "http://127.0.0.1:3000"},
    "a form that tells no origin": {"Sec-Fetch-Site": "cross-site"},
}


@asynccontextmanager
async def browsing(
    fakes: Fakes, rules: EdgeRules | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the real server on a real socket."""
    listener = bind("127.0.0.1", 0)
    app = create_app(fakes.services(), rules or EdgeRules())
    async with (
        serving(app, listener),
        httpx.AsyncClient(base_url=address(listener), trust_env=False) as http,
    ):
        yield http


@pytest.fixture
def fakes() -> Fakes:
    fakes = Fakes()
    fakes.tasks["t"] = a_task(state="dead")
    return fakes


def nothing_was_done(fakes: Fakes) -> bool:
    done = (fakes.submitted, fakes.filters, fakes.reasons, fakes.edits, fakes.drained, fakes.beats)
    return not any(done)


@pytest.mark.parametrize("told", PAGES.values(), ids=PAGES)
async def test_a_page_elsewhere_changes_nothing(fakes: Fakes, told: dict[str, str]) -> None:
    async with browsing(fakes) as http:
        for method, path, body in ACTS:
            for plain in (JSON, {"Content-Type": "text/plain"}):
                answer = await http.request(method, path, json=body, headers=told | plain)
                assert answer.status_code == 403, (method, path)
                detail = answer.json()["detail"]
                assert detail.startswith("Nothing was done, because the request comes from a page")
                assert "COORDINATOR_CORS_ORIGINS" in detail
    assert nothing_was_done(fakes)


async def test_programs_and_pages_of_the_service_itself_act_as_ever(fakes: Fakes) -> None:
    async with browsing(fakes) as http:
        port = http.base_url.port
        for told in (
            {},
            {"Sec-Fetch-Site": "same-origin", "Origin": f"http://127.0.0.1:{port}"},
            {"Sec-Fetch-Site": "none"},
            {"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}"},
            {"Host": "localhost:8080"},  # forwarded from another port
        ):
            answer = await http.post("/tasks/submit", json={"task_data": {}}, headers=told)
            assert answer.status_code == 200, told
    assert len(fakes.submitted) == 5


async def test_a_page_elsewhere_may_lead_here_and_reads_nothing(fakes: Fakes) -> None:
    async with browsing(fakes) as http:
        answer = await http.get("/health/live", headers=PAGES["another site"])
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["/tasks/submit", "/health/live", "/no/such/path"])
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:9001", "0.0.0.0"])
async def test_a_page_under_a_name_that_leads_here_reaches_nothing(
    fakes: Fakes, host: str, path: str
) -> None:
    told = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
    async with browsing(fakes) as http:
        for method in ("GET", "POST"):
            answer = await http.request(method, path, json={"task_data": {}}, headers=told)
            assert answer.status_code == 421
            assert "COORDINATOR_ALLOWED_HOSTS" in answer.json()["detail"]
    assert nothing_was_done(fakes)


async def test_a_name_that_the_operator_gave_is_served(fakes: Fakes) -> None:
    rules = EdgeRules(hosts=("coordinator.example.org",))
    async with browsing(fakes, rules) as http:
        for told in (
            {"Host": "coordinator.example.org"},
            {"Host": "coordinator.example.org", "Origin": "https://coordinator.example.org"},
        ):
            answer = await http.post("/tasks/submit", json={"task_data": {}}, headers=told)
            assert answer.status_code == 200
        answer = await http.get("/health/live", headers={"Host": "other.example.org"})
        assert answer.status_code == 421


async def test_a_page_of_a_named_origin_acts_and_reads(fakes: Fakes) -> None:
    page = {"Origin": BOARD, "Sec-Fetch-Site": "cross-site"}
    async with browsing(fakes, EdgeRules(origins=(BOARD,))) as http:
        asked = {
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type,idempotency-key",
        }
        may = await http.options("/tasks/submit", headers=page | asked)
        assert may.status_code == 200
        assert may.headers["access-control-allow-origin"] == BOARD
        assert "POST" in may.headers["access-control-allow-methods"]
        assert "idempotency-key" in may.headers["access-control-allow-headers"]
        for path in ("/tasks/submit", "/tasks/t/cancel"):
            answer = await http.post(path, json={"task_data": {}, "reason": "r"}, headers=page)
            assert answer.headers["access-control-allow-origin"] == BOARD, path
            assert "Retry-After" in answer.headers["access-control-expose-headers"]
            assert "access-control-allow-credentials" not in answer.headers
        missing = await http.get("/no/such/path", headers=page)
        assert (missing.status_code, missing.headers["access-control-allow-origin"]) == (404, BOARD)
    assert len(fakes.submitted) == 1


@pytest.mark.parametrize("rules", [EdgeRules(), EdgeRules(origins=(BOARD,))], ids=["none", "one"])
@pytest.mark.parametrize("origin", ["https://evil.example", "null", f"{BOARD}.evil.example"])
async def test_the_question_of_a_page_elsewhere_is_answered_no(
    fakes: Fakes, rules: EdgeRules, origin: str
) -> None:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    async with browsing(fakes, rules) as http:
        for path in ("/tasks/submit", "/tasks/t/cancel"):
            may = await http.options(path, headers=asked)
            assert may.status_code == 403
            assert "access-control-allow-origin" not in may.headers
            answer = await http.post(path, json={"task_data": {}}, headers={"Origin": origin})
            assert answer.status_code == 403
            assert "access-control-allow-origin" not in answer.headers
    assert nothing_was_done(fakes)


async def test_the_path_in_front_is_taken_off_where_the_proxy_left_it_on(fakes: Fakes) -> None:
    async with browsing(fakes, EdgeRules(root_path="/coordinator")) as http:
        for path in ("/tasks/submit", "/coordinator/tasks/submit", "/coordinator/v1/tasks/submit"):
            assert (await http.post(path, json={"task_data": {}})).status_code == 200
        assert (await http.get("/coordinator/tasks/t")).status_code == 200
        assert (await http.get("/coordinatortasks/t")).status_code == 404
        document = (await http.get("/coordinator/openapi.json")).json()
    assert [server["url"] for server in document["servers"]] == ["/coordinator", "/coordinator/v1"]
    assert len(fakes.submitted) == 3
