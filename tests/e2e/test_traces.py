"""One trace leads from a producer's request over every attempt to the ledger, as a collector sees it."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.trace_collector import CollectedSpan, TraceCollector, trace_collector
from tests.support.waiting import eventually

from .processes import Process, client, get, ready, service, spawned

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
TRACED = {"traceparent": f"00-{TRACE_ID}-{CALLER}-01", "tracestate": "vendor=1"}
AT_WORK = re.compile("at work")


@pytest.fixture
def collector() -> Iterator[TraceCollector]:
    with trace_collector() as collector:
        yield collector


@contextlib.asynccontextmanager
async def system(
    broker_url: str, folder: Path, environment: Mapping[str, str]
) -> AsyncIterator[tuple[httpx.AsyncClient, Process, Process]]:
    """A service and an agent with this environment."""
    told = {"COORDINATOR_LOG_FORMAT": "json", **environment}
    agents = {
        **told,
        "COORDINATOR_AMQP_URL": broker_url,
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    command = [sys.executable, "-m", "consumers", "tests.e2e.traced_agent:agent"]
    async with (
        service(broker_url, folder / "data", environment=told) as (serving, url),
        client(url) as http,
        spawned(*command, output=folder / "agent.out", environment=agents) as agent,
    ):
        await ready(http)
        await agent.prints(AT_WORK)
        await ended(http, await submit(http, {}, task_type="nothing"))
        yield http, serving, agent


async def submit(http: httpx.AsyncClient, headers: Mapping[str, str], **data: Any) -> str:
    body = {"task_data": data, "backoff": {"first_seconds": 0}}
    answer = await http.post("/tasks/submit", json=body, headers=dict(headers))
    answer.raise_for_status()
    task_id: str = answer.json()["task_id"]
    return task_id


async def ended(http: httpx.AsyncClient, task_id: str) -> dict[str, Any]:
    async def over() -> dict[str, Any] | None:
        task: dict[str, Any] = (await get(http, f"/tasks/{task_id}"))["task"]
        return task if task["state"] == "completed" else None

    return await eventually(over, timeout=60)


async def spans_of(collector: TraceCollector, names: dict[str, int]) -> dict[str, Any]:
    """Those of the trace, by the first word of their names; all of them must be there."""

    def found() -> dict[str, list[CollectedSpan]] | None:
        of_trace = [span for span in collector.spans if span.trace_id == TRACE_ID]
        by = {
            prefix: [span for span in of_trace if span.name.startswith(prefix)] for prefix in names
        }
        return by if {prefix: len(spans) for prefix, spans in by.items()} == names else None

    try:
        return await eventually(found, timeout=30)
    except (AssertionError, TimeoutError):
        print(*(span for span in collector.spans if span.trace_id == TRACE_ID), sep="\n")
        raise


async def test_what_an_attempt_emits_is_on_its_span_in_a_few_events(
    broker_url: str, tmp_path: Path, collector: TraceCollector
) -> None:
    async with system(broker_url, tmp_path, collector.environment()) as (http, _, _):
        for kind in ("speak", "speak-in-a-thread"):
            await ended(http, await submit(http, TRACED, task_type=kind))
        spans = await spans_of(collector, {"process tasks.": 2})
        told = {
            str(span.attributes["agent_coordinator.task.type"]): span
            for span in spans["process tasks."]
        }
        many, few = told["speak"], told["speak-in-a-thread"]
        assert [event for event in many.events if event[0] == "output"] == [
            ("output", {"chunk": number, "bytes": 6 * number})
            for number in (1, 2, 4, 8, 16, 32, 64)
        ]
        assert many.attributes["agent_coordinator.task.output.chunks"] == 100
        assert many.attributes["agent_coordinator.task.output.bytes"] == 600
        assert [event for event in few.events if event[0] == "output"] == [
            ("output", {"chunk": number, "bytes": 6 * number}) for number in (1, 2)
        ]
        assert few.attributes["agent_coordinator.task.output.chunks"] == 3


async def test_one_trace_leads_from_the_producer_over_every_attempt_to_the_ledger(
    broker_url: str, tmp_path: Path, collector: TraceCollector
) -> None:
    async with system(broker_url, tmp_path, collector.environment()) as (http, _, _):
        task_id = await submit(
            http, TRACED, task_type="call", failures=1, url=f"{collector.url}/called"
        )
        task = await ended(http, task_id)
        spans = await spans_of(
            collector, {"POST": 1, "send": 2, "process tasks.": 2, "GET": 1, "process c": 2}
        )
        (server,) = spans["POST"]
        assert (server.name, server.kind, server.parent) == ("POST /tasks/submit", "SERVER", CALLER)
        assert server.attributes["http.route"] == "/tasks/submit"
        assert server.attributes["http.response.status_code"] == 200
        assert (server.service, server.state) == ("coordinator", "vendor=1")

        # Both publishes of the task hang below the request, and each attempt below its publish.
        first, second = spans["send"]
        for sent in (first, second):
            assert (sent.kind, sent.parent, sent.service) == (
                "PRODUCER",
                server.span_id,
                "coordinator",
            )
            assert sent.attributes["messaging.system"] == "rabbitmq"
            assert sent.attributes["messaging.operation.type"] == "send"
            assert sent.attributes["messaging.message.conversation_id"] == task_id
            assert sent.name == f"send {sent.attributes['messaging.destination.name']}"
        failing, calling = spans["process tasks."]
        for sent, attempt in ((first, failing), (second, calling)):
            assert (attempt.kind, attempt.parent, attempt.links) == (
                "CONSUMER",
                sent.span_id,
                [sent.span_id],
            )
            assert attempt.service == "specialist"
            assert attempt.attributes["messaging.operation.type"] == "process"
            assert attempt.attributes["agent_coordinator.task.type"] == "call"
            assert ("progress", {"fraction": 0.5, "message": "half of it"}) in attempt.events
        assert [failing.failed, calling.failed] == [True, False]
        assert failing.attributes["error.type"] == "RuntimeError"
        assert [one.attributes["agent_coordinator.task.attempt"] for one in (failing, calling)] == [
            1,
            2,
        ]

        # What the handler calls hangs below the attempt, and is told so; the handler can tell it, too.
        (called,) = spans["GET"]
        assert (called.kind, called.parent) == ("CLIENT", calling.span_id)
        assert collector.called == [f"00-{TRACE_ID}-{called.span_id}-01"]
        assert task["result"] == {
            "traceparent": f"00-{TRACE_ID}-{calling.span_id}-01",
            "tracestate": "vendor=1",
        }

        # And both ends, as the ledger has them.
        assert [
            (one.parent, one.attributes["cloudevents.event_type"]) for one in spans["process c"]
        ] == [(failing.span_id, "task.failed"), (calling.span_id, "task.completed")]


async def test_a_handler_in_a_thread_calls_within_its_attempt(
    broker_url: str, tmp_path: Path, collector: TraceCollector
) -> None:
    async with system(broker_url, tmp_path, collector.environment()) as (http, _, _):
        await ended(
            http,
            await submit(http, TRACED, task_type="call-in-a-thread", url=f"{collector.url}/called"),
        )
        spans = await spans_of(collector, {"process tasks.": 1, "GET": 1})
        assert spans["GET"][0].parent == spans["process tasks."][0].span_id


async def test_a_batch_has_a_span_for_each_task_and_one_for_the_request(
    broker_url: str, tmp_path: Path, collector: TraceCollector
) -> None:
    async with system(broker_url, tmp_path, collector.environment()) as (http, _, _):
        tasks = [{"task_data": {"task_type": "call-by-hand", "url": collector.url}}] * 3
        answer = await http.post("/tasks/submit/batch", json={"tasks": tasks}, headers=TRACED)
        for one in answer.json()["results"]:
            await ended(http, one["task_id"])
        spans = await spans_of(collector, {"POST": 1, "send": 3, "process tasks.": 3})
        sent = {span.span_id for span in spans["send"]}
        assert {span.parent for span in spans["send"]} == {spans["POST"][0].span_id}
        assert {span.parent for span in spans["process tasks."]} == sent
        told = {f"00-{TRACE_ID}-{span.span_id}-01" for span in spans["process tasks."]}
        assert set(collector.called) == told


async def test_a_span_is_named_after_its_route_and_not_after_its_task(
    broker_url: str, tmp_path: Path, collector: TraceCollector
) -> None:
    async with system(broker_url, tmp_path, collector.environment()) as (http, _, _):
        for path in ("/tasks/some-task", "/v1/agents/a%2Fb", "/nothing/here"):
            assert (await http.get(path, headers=TRACED)).status_code == 404
        spans = await spans_of(collector, {"GET": 3})
        assert [span.name for span in spans["GET"]] == [
            "GET /tasks/{task_id}",
            "GET /v1/agents/{agent_id}",
            "GET",
        ]


async def test_what_a_caller_does_not_sample_is_not_sent(
    broker_url: str, tmp_path: Path, collector: TraceCollector
) -> None:
    unsampled = TRACED | {"traceparent": f"00-{TRACE_ID}-{CALLER}-00"}
    async with system(broker_url, tmp_path, collector.environment()) as (http, _, _):
        await ended(
            http, await submit(http, unsampled, task_type="call-by-hand", url=collector.url)
        )
        await ended(http, await submit(http, {}, task_type="call-by-hand", url=collector.url))
        await eventually(lambda: collector.named("process tasks."))
        assert {span.trace_id for span in collector.named("process tasks.")}.isdisjoint({TRACE_ID})
        (quiet, _) = collector.called
        assert (quiet[:35], quiet[-2:]) == (f"00-{TRACE_ID}", "00")


async def test_without_a_collector_the_context_of_the_producer_is_handed_on_as_it_is(
    broker_url: str, tmp_path: Path, collector: TraceCollector
) -> None:
    async with system(broker_url, tmp_path, {}) as (http, _, _):
        task_id = await submit(http, TRACED, task_type="call", failures=1, url=collector.url)
        assert (await ended(http, task_id))["result"] == TRACED
    assert collector.spans == []


async def test_lines_about_a_task_name_its_trace(
    broker_url: str, tmp_path: Path, collector: TraceCollector
) -> None:
    async with system(broker_url, tmp_path, {}) as (http, serving, agent):
        task_id = await submit(http, TRACED, task_type="call", failures=1, url=collector.url)
        await ended(http, task_id)
        await eventually(lambda: serving.printed.count("a task has ended") == 2)
        lines = [json.loads(line) for line in agent.printed.splitlines()]
        own = [line for line in lines if line["logger"] == "consumers.of_an_author"]
        expected = {
            "task_id": task_id,
            "task_type": "call",
            "agent_id": "traced",
            "trace_id": TRACE_ID,
        }
        assert [{name: line.get(name) for name in expected} for line in own] == [expected] * 2
        assert [line["attempt"] for line in own] == [1, 2]
        (end,) = [
            line
            for line in map(json.loads, serving.printed.splitlines())
            if line["message"] == "a task has ended" and line["task_id"] == task_id
        ]
        assert (end["level"], end["task_id"], end["task_type"]) == ("info", task_id, "call")
        assert (end["outcome"], end["attempt"]) == ("completed", 2)
        assert end["trace_id"] == TRACE_ID
        assert end["seconds"] > 0


async def test_a_line_within_a_request_names_its_trace_while_spans_are_made(
    broker_url: str, tmp_path: Path, collector: TraceCollector
) -> None:
    async with system(broker_url, tmp_path, collector.environment()) as (http, serving, _):
        body = {"task_data": {}, "requirements": {"capabilities": ["of its own"]}}
        answer = await http.post("/tasks/submit", json=body, headers=TRACED)
        assert answer.status_code == 200, answer.text

        def opened() -> list[dict[str, Any]]:
            lines = [json.loads(line) for line in serving.printed.splitlines()]
            told = [line for line in lines if line["message"] == "opened a queue"]
            return [line for line in told if "of" in line["queue"] and "own" in line["queue"]]

        (line,) = await eventually(opened)
        assert line["trace_id"] == TRACE_ID
