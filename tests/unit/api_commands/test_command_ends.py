"""Commands against a scripted API: exit statuses that scripts rely on, and one line for each error."""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from coordinator.api_commands import command_run
from coordinator.client import Client, Retries
from coordinator.commands.cli import main

TASK = {"task_id": "t", "state": "completed", "result": {"words": 7}}
Api = Callable[[httpx.Request], httpx.Response]


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COORDINATOR_URL", "COORDINATOR_KEY", "COORDINATOR_KEY_FILE", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


def served(monkeypatch: pytest.MonkeyPatch, api: Api) -> None:
    def client_of(options: Any) -> Client:
        retries = Retries(total_seconds=5, while_unreachable=False)
        return Client("http://test", key="", retries=retries, transport=httpx.MockTransport(api))

    monkeypatch.setattr(command_run, "client_of", client_of)


def answering(status: int, **body: Any) -> Api:
    return lambda request: httpx.Response(status, json=body)


@pytest.mark.parametrize(
    ("task", "status"),
    [
        (TASK, 0),
        ({"task_id": "t", "state": "dead", "error": {"type": "E", "message": "so"}}, 1),
        ({"task_id": "t", "state": "cancelled"}, 1),
        ({"task_id": "t", "state": "expired"}, 1),
    ],
)
def test_a_wait_ends_as_its_task_does(
    task: dict[str, Any],
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    served(monkeypatch, answering(200, task=task))
    assert main(["wait", "t"]) == status
    told = capsys.readouterr()
    if status:
        assert told.out == ""
        assert told.err.startswith(f"Task t is {task['state']}: ")
    else:
        assert json.loads(told.out) == {"words": 7}


@pytest.mark.parametrize(
    ("answer", "headers", "status"),
    [
        (400, {}, 4),
        (401, {}, 4),
        (403, {}, 4),
        (404, {}, 4),
        (409, {}, 4),
        (413, {}, 4),
        (422, {}, 4),
        (429, {"retry-after": "60"}, 3),
        (500, {}, 3),
        (503, {"retry-after": "60"}, 3),
    ],
)
def test_an_error_of_the_api_is_its_sentence_and_a_status(
    answer: int,
    headers: dict[str, str],
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    served(
        monkeypatch,
        lambda request: httpx.Response(answer, json={"detail": "It is so"}, headers=headers),
    )
    assert main(["explain", "t"]) == status
    told = capsys.readouterr()
    assert told.out == ""
    (line,) = told.err.splitlines()
    assert line.startswith("coordinator: It is so")


def test_something_else_that_answers_is_no_coordinator(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    served(monkeypatch, lambda request: httpx.Response(200, text="<html>"))
    assert main(["queues"]) == 3
    assert "--url or COORDINATOR_URL" in capsys.readouterr().err


def test_a_service_that_is_not_there_is_told_at_once_with_what_to_set(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        assert main(["tasks", "--url", url]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert url in line
    assert "--url or COORDINATOR_URL" in line


def test_a_service_that_asks_to_wait_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [
        httpx.Response(503, json={"detail": "away"}, headers={"retry-after": "0"}),
        httpx.Response(200, json={"task": TASK}),
    ]
    served(monkeypatch, lambda request: answers.pop(0))
    assert main(["task", "t"]) == 0
    assert answers == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["tasks", "--url", "ftp://x"], "--url 'ftp://x' is not an address of HTTP"),
        (["tasks", "--key-file", "/nowhere/at/all"], "--key-file names /nowhere/at/all"),
        (["tasks", "--key", "a", "--key-file", "b"], "The key is given twice"),
        (["tasks", "--client-key", "b"], "name it with --client-cert"),
        (["submit"], "There is no task: give its TYPE"),
        (["submit", "x", "n:=seven"], "'n:=seven' is not JSON"),
        (["submit", "x", "y"], "'y' is no field of the data"),
        (["submit", "--data", "[]"], "--data is no JSON object"),
        (["submit", "--data", "@/nowhere"], "--data names /nowhere, which cannot be read"),
        (["submit", "--each", "/nowhere"], "--each names /nowhere"),
        (["submit", "x", "--each", "y"], "leave out the rest"),
        (["answer", "t", "{", "--as-json"], "The answer is not JSON"),
        (["schedules", "create", "* * * * *", "x", "--not-before", "1h"], "give --delay"),
    ],
)
def test_a_command_that_cannot_be_run_as_typed_is_one_line_and_two(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("coordinator: ")
    assert sentence in line


@pytest.mark.parametrize(
    "arguments", [["clear", "low"], ["redrive"], ["groups", "cancel", "g"]], ids=" ".join
)
def test_what_cannot_be_taken_back_asks_first(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where there is nobody to ask, it says how many it would be, and does nothing."""
    done: list[str] = []

    def api(request: httpx.Request) -> httpx.Response:
        counts = request.url.path.endswith("/redrive") and b'"dry_run":true' in request.content
        if request.method == "POST" and not counts:
            done.append(request.url.path)
        answer = {"queue_sizes": {"low": 7}, "group": {"group_id": "g", "total": 7}}
        return httpx.Response(200, json={**answer, "dry_run": True, "redriven": 7, "matched": 7})

    served(monkeypatch, api)
    assert main(arguments) == 2
    told = capsys.readouterr().err
    assert "7 " in told
    assert "give --yes" in told
    assert done == []


def test_the_key_comes_from_a_file_and_is_never_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "key").write_text("ackey secret\n")
    assert main(["tasks", "--key-file", str(tmp_path / "key")]) == 2
    assert "secret" not in capsys.readouterr().err


def test_options_before_an_action_count_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its filter, a redrive would be of all."""
    bodies: list[Any] = []

    def api(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        return httpx.Response(200, json={"redriven": 1})

    served(monkeypatch, api)
    assert main(["callbacks", "--host", "a.example", "redrive"]) == 0
    assert bodies == [{"host": "a.example", "dry_run": False}]


def test_one_of_several_that_fails_stops_no_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def api(request: httpx.Request) -> httpx.Response:
        if "/a/" in request.url.path:
            return httpx.Response(404, json={"detail": "Task not found"})
        return httpx.Response(200, json={"task_id": "b", "was": "queued"})

    served(monkeypatch, api)
    assert main(["cancel", "a", "b"]) == 4
    told = capsys.readouterr()
    assert told.out == "Cancelled b, which was queued\n"
    assert told.err == "a: Task not found\n"


def test_output_that_nobody_reads_any_more_ends_it_quietly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unread(*_: Any) -> None:
        raise BrokenPipeError

    served(monkeypatch, answering(200, task=TASK))
    monkeypatch.setattr(command_run, "_read_by_nobody", lambda: None)
    monkeypatch.setattr("coordinator.api_commands.printing.printer.Printer.fields", unread)
    assert main(["task", "t"]) == 141


def test_output_that_cannot_be_written_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    served(monkeypatch, answering(200, task=TASK))
    monkeypatch.setattr(command_run, "_read_by_nobody", lambda: None)
    monkeypatch.setattr("coordinator.api_commands.printing.printer.Printer.fields", full)
    assert main(["task", "t"]) == 2
    told = capsys.readouterr().err
    assert (
        told == "coordinator: The answer to `task` could not be written: No space left on device\n"
    )


@pytest.mark.parametrize(
    "typed",
    [
        ["submit", "echo", "n:=NaN"],
        ["submit", "--data", '{"n": Infinity}'],
        ["submit", "echo", "--idempotency-key", "clé"],
        ["task", ".."],
        ["task", ""],
        ["explain", "a\udcffb"],
        ["tasks", "--agent", "\udcff"],
    ],
)
def test_what_cannot_be_sent_is_told_in_one_line_and_not_sent(
    typed: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sent: list[httpx.Request] = []

    def api(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json={"task": TASK})

    served(monkeypatch, api)
    assert main(typed) == 2
    assert sent == []
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    "typed",
    [
        ["tasks", "--limit", "9" * 30],
        ["schedules", "--limit", "9" * 20],
        ["tasks", "--since", "9999-12-31T23:59:59-10:00"],
        ["tasks", "--until", "0001-01-01T00:00:00+10:00"],
    ],
)
def test_a_number_or_an_instant_out_of_range_is_refused_as_it_is_typed(
    typed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(typed)
    assert ended.value.code == 2
    assert "error: argument --" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        (["edit", "s", "--cron", "0 4 * * *"], ("PATCH", "/schedules/s", {"cron": "0 4 * * *"})),
        (["edit", "s", "--every", "2m"], ("PATCH", "/schedules/s", {"every_seconds": 120})),
        (
            ["edit", "s", "sum", "n:=2", "--priority", "low"],
            (
                "PATCH",
                "/schedules/s",
                {"task": {"task_data": {"task_type": "sum", "n": 2}, "priority": "low"}},
            ),
        ),
        (["run", "s"], ("POST", "/schedules/s/run", None)),
        (
            ["create", "--every", "90s", "sum", "n:=2"],
            (
                "POST",
                "/schedules",
                {"every_seconds": 90, "task": {"task_data": {"task_type": "sum", "n": 2}}},
            ),
        ),
    ],
)
def test_schedules_are_made_edited_and_run_as_typed(
    typed: list[str], sent: tuple[str, str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[tuple[str, str, Any]] = []

    def api(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else None
        found.append((request.method, request.url.path, body))
        return httpx.Response(200, json={"task_id": "t", "schedule": {"schedule_id": "s"}})

    served(monkeypatch, api)
    assert main(["schedules", *typed]) == 0
    assert found == [sent]


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["edit", "s", "--priority", "low"], "give its TYPE"),
        (["create"], "give a CRON"),
    ],
)
def test_a_schedule_that_is_typed_by_half_is_refused(
    typed: list[str],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    served(monkeypatch, answering(500))
    assert main(["schedules", *typed]) == 2
    assert told in capsys.readouterr().err


def test_an_interval_is_told_where_there_is_no_cron_expression(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    schedule = {"schedule_id": "often", "every_seconds": 90}
    served(monkeypatch, answering(200, schedules=[schedule], schedule=schedule))
    assert main(["schedules"]) == 0
    assert "every 90 s" in capsys.readouterr().out
    assert main(["schedules", "show", "often"]) == 0
    assert "90 s" in capsys.readouterr().out
