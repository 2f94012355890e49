"""A task stays in its trace by whatever way it goes, in whichever process, and so does what is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from tests.support.scraping import scrape
from tests.support.server_sent_events import streaming
from tests.support.trace_collector import CollectedSpan, TraceCollector, trace_collector
from tests.support.waiting import eventually

from .processes import client, get, service
from .test_traces import CALLER, TRACE_ID, TRACED, ended, spans_of, submit, system

METRICS = re.compile(r"metrics on (http://\S+)")


@pytest.fixture
def collector() -> Iterator[TraceCollector]:
    with trace_collector() as collector:
        yield collector


def ids(spans: list[CollectedSpan]) -> set[str]:
    return {span.span_id for span in spans}


@pytest.mark.any_broker
async def test_a_task_that_waits_for_its_time_is_sent_within_its_request(
    broker_url: str, tmp_path: Path, collector: TraceCollector
) -> None:
    async with system(broker_url, tmp_path, collector.environment()) as (http, _, _):
        body = {"task_data": {"task_type": "nothing"}, "delay_seconds": 0.3}
        # With a key the ordinary endpoint answers, and not the quick route.
        answer = await http.post(
            "/tasks/submit", json=body, headers={**TRACED, "Idempotency-Key": "once"}
        )
        await ended(http, answer.json()["task_id"])
        spans = await spans_of(collector, {"POST": 1, "send": 2, "process t": 1, "process c": 1})
        (request,), (attempt,) = spans["POST"], spans["process t"]
        assert {span.parent for span in spans["send"]} == {request.span_id}
        assert attempt.parent in ids(spans["send"])
        assert spans["process c"][0].parent == attempt.span_id


@pytest.mark.any_broker
async def test_a_task_that_is_cancelled_ends_in_its_trace_and_one_that_is_redriven_goes_on_in_it(
    broker_url: str, tmp_path: Path, collector: TraceCollector
) -> None:
    async with system(broker_url, tmp_path, collector.environment()) as (http, _, _):
        nobody = {"task_data": {}, "requirements": {"agent_id": "nobody"}}
        answer = await http.post("/tasks/submit", json=nobody, headers=TRACED)
        task_id = answer.json()["task_id"]
        assert (await http.post(f"/tasks/{task_id}/cancel")).status_code == 200
        spans = await spans_of(collector, {"POST": 1, "send": 1, "process c": 1})
        (end,) = spans["process c"]
        assert end.attributes["cloudevents.event_type"] == "task.cancelled"
        assert end.parent == spans["POST"][0].span_id

        failing = {"task_data": {"task_type": "call", "failures": 9}, "max_attempts": 1}
        answer = await http.post("/tasks/submit", json=failing, headers=TRACED)
        task_id = answer.json()["task_id"]

        async def dead() -> bool:
            task: dict[str, Any] = (await get(http, f"/tasks/{task_id}"))["task"]
            return bool(task["state"] == "dead")

        await eventually(dead, timeout=60)
        again = {"task_data": {"task_type": "nothing"}}
        assert (await http.post(f"/tasks/{task_id}/retry", json=again)).status_code == 200
        await ended(http, task_id)
        # Redriving tells the log alone; the outbox sends what is to be done.
        spans = await spans_of(collector, {"POST": 2, "send": 4, "process t": 2, "process c": 3})
        sent = [
            span
            for span in spans["send"]
            if span.attributes["messaging.message.conversation_id"] == task_id
        ]
        assert len(sent) == 3
        (request,) = {span.parent for span in sent}
        assert request in ids(spans["POST"])
        assert {span.parent for span in spans["process t"]} < ids(sent)


@pytest.mark.any_broker
async def test_each_run_of_a_schedule_is_a_trace_of_its_own(
    broker_url: str, tmp_path: Path, collector: TraceCollector
) -> None:
    async with system(broker_url, tmp_path, collector.environment()) as (http, _, _):
        every_second = {"cron": "* * * * * *", "task": {"task_data": {"task_type": "nothing"}}}
        answer = await http.post("/schedules", json=every_second, headers=TRACED)
        assert answer.status_code == 200, answer.text

        def runs() -> list[CollectedSpan] | None:
            found = collector.named("submit by schedule")
            return found if len(found) >= 2 else None

        first, second, *_ = await eventually(runs, timeout=30)
        assert (first.parent, second.parent) == ("", "")
        assert len({first.trace_id, second.trace_id, TRACE_ID}) == 3

        def done() -> bool:
            names = [span.name for span in collector.spans if span.trace_id == first.trace_id]
            return len(names) == 4 and "process coordinator.log" in names

        await eventually(done, timeout=30)


@pytest.mark.any_broker
async def test_with_several_processes_each_sends_its_spans_of_the_one_trace(
    broker_url: str, tmp_path: Path, collector: TraceCollector
) -> None:
    several = {"COORDINATOR_HTTP_WORKERS": "2", "COORDINATOR_PROJECTOR": "own"}
    async with system(broker_url, tmp_path, collector.environment() | several) as (http, _, _):
        await ended(http, await submit(http, TRACED, task_type="call", url=f"{collector.url}/x"))
        spans = await spans_of(
            collector, {"POST": 1, "send": 1, "process t": 1, "GET": 1, "process c": 1}
        )
        (server,), (fold,) = spans["POST"], spans["process c"]
        assert server.parent == CALLER
        assert fold.parent == spans["process t"][0].span_id


@pytest.mark.any_broker
async def test_what_is_refused_at_the_edge_has_a_span_and_is_counted(
    broker_url: str, tmp_path: Path, collector: TraceCollector
) -> None:
    environment = collector.environment() | {
        "COORDINATOR_AUTH": "required",
        "COORDINATOR_METRICS_PORT": "0",
        "COORDINATOR_ROOT_PATH": "/board",
    }
    async with (
        service(broker_url, tmp_path, environment=environment) as (serving, url),
        client(url) as http,
    ):
        page_url = (await serving.prints(METRICS))[1]
        for host in ("evil.example", "worse.example"):
            answer = await http.get("/tasks/some-task", headers={**TRACED, "Host": host})
            assert answer.status_code == 421
        elsewhere = {**TRACED, "Origin": "http://evil.example"}
        assert (await http.post("/tasks/submit", headers=elsewhere)).status_code == 403
        assert (await http.get("/board/tasks/a", headers=TRACED)).status_code == 401
        spans = await spans_of(collector, {"GET": 3, "POST": 1})
        told = [
            (span.name, span.attributes["http.response.status_code"])
            for span in (*spans["GET"], *spans["POST"])
        ]
        assert told == [
            ("GET /tasks/{task_id}", 421),
            ("GET /tasks/{task_id}", 421),
            ("GET /tasks/{task_id}", 401),
            ("POST /tasks/submit", 403),
        ]
        page = await scrape(http, page_url)
        codes = {
            code: count for code, count in page.by("code", "http_errors_total").items() if count
        }
        assert codes == {"421": 2, "403": 1, "401": 1}


@pytest.mark.any_broker
async def test_a_stream_and_a_websocket_have_one_span_each_named_after_their_route(
    broker_url: str, tmp_path: Path, collector: TraceCollector
) -> None:
    async with service(broker_url, tmp_path, environment=collector.environment()) as (_, url):
        async with streaming(url, "/events", TRACED) as stream:
            assert stream.status == 200
            await stream.frame()
        socket = url.replace("http://", "ws://") + "/ws"
        async with connect(socket, additional_headers=TRACED, proxy=None) as connection:
            assert "connection_established" in str(await connection.recv())
        spans = await spans_of(collector, {"GET": 2})
        assert sorted(span.name for span in spans["GET"]) == ["GET /events", "GET /ws"]
        assert {(span.kind, span.parent) for span in spans["GET"]} == {("SERVER", CALLER)}


PROBES = (
    "/health",
    "/health/live",
    "/v1/health/ready",
    "/livez",
    "/readyz",
    "/healthz",
    "/metrics",
)


@pytest.mark.any_broker
@pytest.mark.parametrize(
    ("environment", "names"),
    [
        ({}, ["GET /agents", "GET /tasks/{task_id}"]),
        (
            {"OTEL_PYTHON_EXCLUDED_URLS": "agents"},
            [*(f"GET {path}" for path in PROBES), "GET /tasks/{task_id}"],
        ),
    ],
    ids=["by default", "as the environment says"],
)
async def test_probes_and_scrapes_have_no_span_unless_the_environment_says_what_has_none(
    broker_url: str,
    tmp_path: Path,
    collector: TraceCollector,
    environment: dict[str, str],
    names: list[str],
) -> None:
    given = collector.environment() | environment | {"COORDINATOR_ROOT_PATH": "/board"}
    async with service(broker_url, tmp_path, environment=given) as (_, url), client(url) as http:
        for number, path in enumerate(PROBES):
            on_it = "/board" if number % 2 else ""  # a proxy may have left that on
            answer = await http.get(f"{on_it}{path}", headers=TRACED)
            assert answer.status_code in (200, 503)
        await http.get("/agents", headers=TRACED)
        await http.get("/tasks/health", headers=TRACED)
        spans = await spans_of(collector, {"GET": len(names)})
        assert [span.name for span in spans["GET"]] == names


NO_PARENTS = ["", "nonsense", "00-" + "0" * 32 + "-" + CALLER + "-01", TRACED["traceparent"] + "-"]
"""What is no `traceparent`; an `OTEL` process must take none of it for one."""


@pytest.mark.any_broker
async def test_a_request_with_what_is_no_context_begins_a_trace_of_its_own(
    broker_url: str, tmp_path: Path, collector: TraceCollector
) -> None:
    async with system(broker_url, tmp_path, collector.environment()) as (http, _, _):
        for parent in [*NO_PARENTS, "\xff" * 20]:
            headers = [(b"traceparent", parent.encode("latin-1")), (b"tracestate", b"vendor=1")]
            body = {"task_data": {"task_type": "nothing"}}
            answer = await http.post("/tasks/submit", json=body, headers=headers)
            assert answer.status_code == 200, answer.text
            task_id = answer.json()["task_id"]
            await ended(http, task_id)
            whole = await whole_trace(collector, task_id)
            (top,) = [span for span in whole if not span.parent]
            assert (top.name, top.state) == ("POST /tasks/submit", "")
            assert {span.name.split()[0] for span in whole} == {"POST", "send", "process"}


@pytest.mark.any_broker
@pytest.mark.parametrize("state", ["", ",", "no member", "a=1,=2", "\xff=1", "a=" + "x" * 600])
async def test_a_state_that_is_none_leaves_the_task_in_its_trace(
    broker_url: str, tmp_path: Path, collector: TraceCollector, state: str
) -> None:
    async with system(broker_url, tmp_path, collector.environment()) as (http, _, _):
        headers = [
            (b"traceparent", TRACED["traceparent"].encode()),
            (b"tracestate", state.encode("latin-1")),
        ]
        body = {"task_data": {"task_type": "nothing"}}
        answer = await http.post("/tasks/submit", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        await ended(http, answer.json()["task_id"])
        spans = await spans_of(collector, {"POST": 1, "send": 1, "process t": 1, "process c": 1})
        assert spans["POST"][0].parent == CALLER


async def whole_trace(collector: TraceCollector, task_id: str) -> list[CollectedSpan]:
    """All spans of the trace that the task is in, once its end is among them."""

    def found() -> list[CollectedSpan] | None:
        about = "messaging.message.conversation_id"
        traces = {one.trace_id for one in collector.spans if one.attributes.get(about) == task_id}
        assert len(traces) <= 1
        spans = [one for one in collector.spans if one.trace_id in traces]
        tops = [one for one in spans if not one.parent]
        ends = [one for one in spans if one.name == "process coordinator.log"]
        return spans if tops and ends and len(spans) == 4 else None

    return await eventually(found, timeout=30)
