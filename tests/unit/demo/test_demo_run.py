"""The demo against an API of this test's own: what it submits, shows and returns."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from coordinator import demo
from coordinator.demo.api_client import ApiClient
from coordinator.errors import OperatorError
from coordinator.protocol.priority import Priority

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

LIBRARIAN = {
    "agent_id": "librarian",
    "agent_type": "worker",
    "status": "active",
    "capabilities": ["data-processing", "analysis", "text-analysis"],
    "services": ["documents"],
    "task_types": ["keywords", "readability", "summary"],
}

GENERALIST = {
    "agent_id": "generalist",
    "agent_type": "general",
    "status": "active",
    "capabilities": [],
    "services": [],
    "task_types": ["any"],
}

RESULT = {
    "keywords": {"line": 0.1},
    "summary": ["A sentence."],
    "verdict": "easy",
    "flesch_reading_ease": 80,
    "minutes_to_read": 3,
    "answered_by": "text analysis",
    "words": 4,
    "subject": ["queues"],
}

Facts = Callable[[int, int], dict[str, Any]]


def completes(number: int, asked: int) -> dict[str, Any]:
    """Queued, running, then completed after twice `number` milliseconds."""
    if asked == 1:
        return {"state": "queued"}
    facts = {
        "agent_id": "librarian",
        "started_at": (NOON + timedelta(milliseconds=2 * number)).isoformat(),
    }
    if asked == 2:
        return facts | {"state": "running", "progress": {"fraction": 0.5, "message": "half"}}
    ended = NOON + timedelta(milliseconds=2 * number + 500)
    return facts | {"state": "completed", "ended_at": ended.isoformat(), "result": RESULT}


def burns_down(number: int, asked: int) -> dict[str, Any]:
    return completes(number, asked) | (
        {"state": "dead", "error": {"type": "Fire", "message": "the library burned down"}}
        if number == 1
        else {}
    )


def never_starts(number: int, asked: int) -> dict[str, Any]:
    return {"state": "queued"}


@dataclass
class Api:
    """Answers as the coordinator does, with the facts that the test wants."""

    facts: Facts = completes
    agents: list[dict[str, Any]] = field(default_factory=lambda: [LIBRARIAN])
    submitted: list[dict[str, Any]] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    told: str = ""
    """By the stream of a task."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/health":
            return httpx.Response(200, json={"status": "healthy", "service": "agent-coordinator"})
        if path == "/agents/discover":
            return httpx.Response(200, json={"agents": self.agents, "count": len(self.agents)})
        if path == "/tasks/submit":
            self.submitted.append(json.loads(request.content))
            return httpx.Response(200, json={"task_id": str(len(self.submitted))})
        if path.endswith("/stream"):
            return httpx.Response(200, text=self.told)
        task_id = path.removeprefix("/tasks/")
        self.asked[task_id] += 1
        facts = self.facts(int(task_id), self.asked[task_id])
        return httpx.Response(
            200, json={"task": {"task_id": task_id, "submitted_at": NOON.isoformat()} | facts}
        )


def run_demo(api: Callable[[httpx.Request], Any], **options: Any) -> tuple[int, str]:
    printed = io.StringIO()
    options.setdefault("count", 10)
    code = demo.run(
        "http://coordinator.test",
        console=Console(file=printed, width=80, highlight=False, **options.pop("console", {})),
        transport=httpx.MockTransport(api),
        **options,
    )
    return code, printed.getvalue()


def test_a_batch_that_completes_ends_with_results_and_waits() -> None:
    code, printed = run_demo(Api())

    assert code == 0
    assert "10 tasks for 1 agents: librarian" in printed
    assert "keywords on-queues" in printed
    assert "All 10 tasks completed" in printed
    waits = printed[printed.index("Waiting times") :]
    assert [line.split()[0] for line in waits.splitlines()[3:8]] == [str(p) for p in Priority]


def frames(*told: tuple[str, dict[str, Any]]) -> str:
    """With what all of them have."""
    found = ""
    for name, data in told:
        of_all: dict[str, Any] = {"agent_id": "librarian", "attempt": 1}
        if "task" in data:
            of_all = {"reason": "task-ended"}
            data["task"] = {"task_id": "1"} | data["task"]
        found += f"event: {name}\ndata: {json.dumps(of_all | data)}\n\n"
    return found


def test_where_an_agent_reads_aloud_each_word_is_shown_as_it_comes() -> None:
    reads = LIBRARIAN | {"task_types": ["keywords", "readability", "summary", "read-aloud"]}
    told = frames(
        ("output.started", {}),
        ("output.chunks", {"first": 1, "chunks": ["The ", "book "]}),
        ("output.missing", {"first": 3, "last": 3}),
        ("output.chunks", {"first": 4, "chunks": ["line."]}),
        ("stream.end", {"detail": "The task has ended", "task": {"state": "completed"}}),
    )
    code, printed = run_demo(Api(agents=[reads], told=told))
    assert code == 0
    assert "\n  The book  (some words are missing) line.\n3 words of librarian in " in printed
    assert re.search(r"words of librarian in \d+ ms, the first after \d+ ms\n", printed)
    assert printed.endswith("All 10 tasks completed\n")


READS = LIBRARIAN | {"task_types": ["keywords", "readability", "summary", "read-aloud"]}


@pytest.mark.parametrize(
    ("end", "why"),
    [
        ({"detail": "This process stops"}, "This process stops"),
        (
            {"task": {"state": "dead", "error": {"type": "E", "message": "the lamp went out"}}},
            "dead: the lamp went out",
        ),
        ({"task": {"state": "cancelled", "error": None}}, "cancelled: no reason given"),
    ],
)
def test_a_text_that_is_not_read_to_its_end_is_told_with_the_reason(
    end: dict[str, Any], why: str
) -> None:
    said = ("output.chunks", {"first": 1, "chunks": ["The "]})
    told = frames(said, ("stream.end", {"detail": "The task has ended"} | end))
    code, printed = run_demo(Api(agents=[READS], told=told))

    assert code == 1
    assert f"\n  The \nIt was not read to its end: {why}\n" in printed
    assert "All 10 tasks completed" not in printed


def test_a_stream_that_breaks_off_is_told() -> None:
    said = ("output.chunks", {"first": 1, "chunks": ["The "]})
    code, printed = run_demo(Api(agents=[READS], told=frames(said)))

    assert code == 1
    assert "broke off" in printed


def test_another_attempt_begins_a_line_of_its_own() -> None:
    told = frames(
        ("output.started", {"attempt": 1}),
        ("output.chunks", {"first": 1, "chunks": ["The ", "bo"]}),
        ("output.started", {"attempt": 2}),
        ("output.chunks", {"first": 1, "attempt": 2, "chunks": ["The ", "book"]}),
        ("stream.end", {"task": {"state": "completed"}}),
    )
    _, printed = run_demo(Api(agents=[READS], told=told))

    assert "\n  The bo\nAttempt 2 begins anew:\n  The book\n" in printed


def test_what_is_said_is_broken_between_words_however_it_is_cut_into_chunks() -> None:
    text = "Forty-two is what it was said to be, and nobody asked why.\nThen they did.\n\n" * 4
    for size in (1, 2, 3, 7, 200, 1000):
        pieces = [text[start : start + size] for start in range(0, len(text), size)]
        told = frames(
            ("output.chunks", {"first": 1, "chunks": pieces}),
            ("stream.end", {"task": {"state": "completed"}}),
        )
        _, printed = run_demo(Api(agents=[READS], told=told))
        said = printed[printed.index("emits it\n") + 9 : printed.index(f"\n{len(pieces)} words of")]
        assert all(len(line) <= 80 for line in said.splitlines())
        assert said.split() == text.split()


def test_every_line_fits_eighty_columns() -> None:
    _, plain = run_demo(Api(), count=40)
    _, live = run_demo(Api(), count=40, console={"force_terminal": True, "color_system": None})

    for line in (plain + live).splitlines():
        assert len(line.split("\x1b")[0].rstrip()) <= 80, line


def test_each_end_is_one_plain_line_where_there_is_no_terminal() -> None:
    _, printed = run_demo(Api(), live=True)

    assert len([line for line in printed.splitlines() if line.startswith("completed")]) == 10


def test_a_terminal_shows_a_live_table() -> None:
    code, printed = run_demo(Api(), console={"force_terminal": True})

    assert code == 0
    assert "of 10 tasks ended" in printed


def test_the_table_moves_while_the_batch_is_still_submitted() -> None:
    """The last submission is answered only when an earlier task has been seen to complete."""
    api = Api()
    one_is_done = asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/tasks/submit" and len(api.submitted) == 9:
            await one_is_done.wait()
        told = api(request)
        if api.asked["1"] == 3:
            one_is_done.set()
        return told

    code, printed = run_demo(answer)

    assert code == 0
    assert "All 10 tasks completed" in printed


def test_a_submission_that_is_refused_ends_it_while_others_run() -> None:
    api = Api(facts=never_starts)

    def refusing(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/tasks/submit" and len(api.submitted) == 9:
            return httpx.Response(503, json={"detail": "Task distributor not available"})
        return api(request)

    with pytest.raises(OperatorError, match="503: Task distributor not available"):
        run_demo(refusing)


def test_how_many_were_overtaken_is_told() -> None:
    """Ten tasks, two of each priority, the least urgent first; they are begun the other way round."""

    def from_the_end(number: int, asked: int) -> dict[str, Any]:
        facts = completes(number, asked)
        if "started_at" in facts:
            facts["started_at"] = (NOON + timedelta(seconds=20 - number)).isoformat()
            facts["ended_at"] = (NOON + timedelta(seconds=30)).isoformat()
        return facts | {"submitted_at": (NOON + timedelta(seconds=number)).isoformat()}

    _, printed = run_demo(Api(facts=from_the_end))

    assert "8 of 10 were overtaken by more urgent ones that came later" in printed
    _, printed = run_demo(Api())
    assert "overtaken" not in printed


def test_a_failed_task_is_told_in_full_and_fails_the_demo() -> None:
    code, printed = run_demo(Api(facts=burns_down))

    assert code == 1
    assert "the library burned down" in printed
    assert "1 of 10 tasks did not complete" in printed


def test_a_batch_in_which_nothing_happens_is_given_up() -> None:
    code, printed = run_demo(Api(facts=never_starts), patience=timedelta(milliseconds=1))

    assert code == 1
    assert "gave up" in printed
    assert "did not finish in time" in printed


def test_no_coordinator_is_told_in_one_line() -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    with pytest.raises(OperatorError, match="No coordinator answers at http://coordinator"):
        run_demo(away)


def test_a_port_that_gives_no_answer_of_http_may_speak_tls() -> None:
    def mute(request: httpx.Request) -> httpx.Response:
        raise httpx.RemoteProtocolError("Server disconnected", request=request)

    with pytest.raises(OperatorError, match="If it speaks TLS, name it with https://"):
        run_demo(mute)


def test_cas_that_cannot_be_read_are_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(OperatorError, match="SSL_CERT_FILE"):
        ApiClient("https://coordinator.test")


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>"),
        httpx.Response(404, json={"error": "Object Not Found"}),
        httpx.Response(200, json=["hello"]),
    ],
    ids=["html", "404", "list"],
)
def test_another_service_on_the_port_is_told_in_one_line(answer: httpx.Response) -> None:
    with pytest.raises(OperatorError, match="not a coordinator's API"):
        run_demo(lambda request: answer)


def test_a_broker_that_is_away_is_told_in_the_words_of_the_api() -> None:
    api = Api()

    def refusing(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/tasks/submit":
            detail = {"detail": "Task distributor not available"}
            return httpx.Response(503, json=detail, headers={"retry-after": "3600"})
        return api(request)

    with pytest.raises(OperatorError, match="503: Task distributor not available"):
        run_demo(refusing)


def test_a_service_that_asks_to_wait_is_asked_again() -> None:
    api = Api()
    refused: list[httpx.Request] = []

    def refusing_once(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/tasks/submit" and not refused:
            refused.append(request)
            return httpx.Response(429, json={"detail": "wait"}, headers={"retry-after": "0"})
        return api(request)

    code, _ = run_demo(refusing_once)
    assert code == 0
    assert refused


@pytest.mark.parametrize("status", ["stale", "inactive", "draining"])
def test_agents_that_take_no_work_do_not_count(status: str) -> None:
    with pytest.raises(OperatorError, match="No agents"):
        run_demo(Api(agents=[LIBRARIAN | {"status": status}]))


def test_an_agent_that_does_not_listen_on_the_broker_does_not_count() -> None:
    with pytest.raises(OperatorError, match="No agents"):
        run_demo(Api(agents=[LIBRARIAN | {"listening": False}]))


def test_work_that_no_agent_can_do_is_not_submitted() -> None:
    api = Api()

    run_demo(api, count=20)

    assert all("files" not in task["requirements"].get("services", []) for task in api.submitted)


def test_a_typed_task_is_submitted_only_where_an_agent_has_a_handler_for_it() -> None:
    api = Api(agents=[LIBRARIAN | {"task_types": ["summary"]}, GENERALIST])

    run_demo(api, count=40)

    types = [task["task_data"].get("task_type") for task in api.submitted]
    assert set(types) == {"summary", None}


def test_an_agent_that_announces_no_types_does_all() -> None:
    api = Api(agents=[{k: v for k, v in LIBRARIAN.items() if k != "task_types"}])

    run_demo(api, count=40)

    types = {task["task_data"].get("task_type") for task in api.submitted}
    assert types == {"keywords", "readability", "summary", None}


def test_the_live_table_shows_the_lane_that_the_coordinator_tells() -> None:
    def with_lane(number: int, asked: int) -> dict[str, Any]:
        return completes(number, asked) | {"lane": "task:of-its-own"}

    _, printed = run_demo(
        Api(facts=with_lane), console={"force_terminal": True, "color_system": None}
    )

    assert "task:of-its-own" in printed


def asking(key: str, api: Api) -> Callable[[httpx.Request], httpx.Response]:
    """The same, for whoever has the key."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.headers.get("Authorization") != f"Bearer {key}":
            return httpx.Response(401, json={"detail": "Who are you?"})
        return api(request)

    return answer


def test_a_coordinator_that_asks_for_a_key_is_given_it() -> None:
    code, _ = run_demo(asking("ackey_1", Api()), key="ackey_1")

    assert code == 0


@pytest.mark.parametrize(
    ("key", "told"), [(None, "asks for a key"), ("ackey_2", "does not know this key")]
)
def test_a_key_that_is_missing_or_counts_no_more_is_told_with_how_to_give_one(
    key: str | None, told: str
) -> None:
    with pytest.raises(OperatorError, match=told) as raised:
        run_demo(asking("ackey_1", Api()), key=key)

    assert "COORDINATOR_KEY" in str(raised.value)
    assert "coordinator keys create" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_role_that_is_missing_is_told_in_the_words_of_the_api() -> None:
    def refusing(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/tasks/submit":
            return httpx.Response(403, json={"detail": "The role producer is missing."})
        return Api()(request)

    with pytest.raises(OperatorError, match="The role producer is missing"):
        run_demo(refusing, key="ackey_1")
