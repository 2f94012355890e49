"""The commands for people against a service on a real broker: one system, and what one would type."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from consumers import Agent, Task
from coordinator.bootstrap import running
from coordinator.commands.cli import main
from coordinator.settings import Settings
from coordinator.web_server.http_server import serving
from coordinator.web_server.server_socket import bind
from tests.support.broker import Broker
from tests.support.ports import free_port
from tests.support.waiting import eventually

pytestmark = pytest.mark.any_broker


class Shell:
    """Types commands, in a thread, and tells what they print."""

    def __init__(self, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        self._url = url
        self._capsys = capsys
        self.complaints = ""

    async def types(self, *words: str, ends: int = 0) -> str:
        self._capsys.readouterr()
        status = await asyncio.to_thread(main, [*words, "--url", self._url])
        told = self._capsys.readouterr()
        self.complaints = told.err
        assert status == ends, f"{words} ended with {status}: {told}"
        return told.out

    async def found(self, *words: str) -> Any:
        """Of a command whose answer is one line of JSON."""
        return json.loads(await self.types(*words, "--json"))


@contextlib.asynccontextmanager
async def system(broker: Broker, folder: Path) -> AsyncIterator[str]:
    settings = Settings(amqp_url=broker.url, data_dir=folder)
    async with running(settings) as coordinator:
        await coordinator.ready()
        port = free_port()
        async with (
            serving(coordinator.app, bind("127.0.0.1", port), stopping=coordinator.stop_streams),
            an_agent(broker, folder).running(),
        ):
            await coordinator.agents_known({"ada"})
            yield f"http://127.0.0.1:{port}"


def an_agent(broker: Broker, folder: Path) -> Agent:
    agent = Agent("ada", amqp_url=broker.url, cache_dir=folder / "ada", slots=8)

    @agent.task("square")
    async def square(task: Task) -> int:
        return int(task.data["n"]) ** 2

    @agent.task("fails")
    async def fails(task: Task) -> None:
        raise ValueError("it is so")

    @agent.task("speaks")
    async def speaks(task: Task) -> None:
        for word in ("One ", "word ", "more.\n"):
            await task.emit(word)

    @agent.task("delegates")
    async def delegates(task: Task) -> str:
        return str((await task.submit({"task_type": "square", "n": 2})).id)

    @agent.task("asks")
    async def asks(task: Task) -> Any:
        return await task.ask({"question": "Go on?", "choices": ["yes", "no"]})

    return agent


async def test_what_people_type(
    broker: Broker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with system(broker, tmp_path) as url:
        shell = Shell(url, capsys)
        await _tasks(shell)
        await _failures(shell)
        await _streams(shell)
        await _people(shell)
        await _fleet(shell)
        await _many(shell, tmp_path)
        await _schedules(shell)


async def _tasks(shell: Shell) -> None:
    assert await shell.types("submit", "square", "n:=7", "--wait") == "49\n"
    assert shell.complaints.startswith("Submitted ")
    task_id = (await shell.types("submit", "square", "n:=3", "--priority", "high")).strip()
    assert await shell.types("wait", task_id, "--timeout", "60") == "9\n"
    assert (await shell.found("task", task_id))["result"] == 9
    assert "result     9" in await shell.types("task", task_id)
    assert "task.completed" in await shell.types("task", task_id, "--timeline")
    listed = await shell.types(
        "tasks", "--type", "square", "--state", "completed", "--all", "--json"
    )
    assert task_id in {json.loads(line)["task_id"] for line in listed.splitlines()}
    parent = (await shell.types("submit", "delegates")).strip()
    child = json.loads(await shell.types("wait", parent, "--timeout", "60"))
    (listed,) = (await shell.types("tasks", "--parent", parent, "--json")).splitlines()
    assert (json.loads(listed)["task_id"], json.loads(listed)["parent_id"]) == (child, parent)
    assert f"parent     {parent}" in await shell.types("task", child)
    assert "It does not wait" in await shell.types("explain", task_id)
    await shell.types("cancel", task_id, ends=4)
    assert task_id in shell.complaints
    nobody = (await shell.types("submit", "square", "--capability", "nobody-has-it")).strip()
    assert "Warning: " in shell.complaints
    assert "nobody-has-it" in await shell.types("explain", nobody)
    await shell.types("wait", nobody, "--timeout", "0.1", ends=5)
    assert "Cancelled" in await shell.types("cancel", nobody, "--reason", "no need")
    await shell.types("wait", nobody, ends=1)
    await shell.types("task", "no-such-task", ends=4)
    assert shell.complaints == "coordinator: Task not found\n"


async def _failures(shell: Shell) -> None:
    await shell.types("submit", "fails", "--max-attempts", "1", "--id", "dead-1", "--wait", ends=1)
    assert "ValueError: it is so" in shell.complaints
    assert "ValueError" in await shell.types("dead", "--error", "ValueError")
    assert (await shell.found("dead"))["total"] == 1
    assert "would go round again" in await shell.types("redrive", "--dry-run")
    assert (await shell.found("redrive", "--error", "ValueError", "--yes"))["redriven"] == 1
    await shell.types("wait", "dead-1", ends=1)
    await shell.types("retry", "dead-1", "--data", '{"task_type": "square", "n": 4}')
    assert await shell.types("wait", "dead-1") == "16\n"


async def _streams(shell: Shell) -> None:
    followed = await shell.types("submit", "speaks", "--id", "spoken", "--follow")
    assert "task.completed" in followed
    assert "word" in followed
    whole = ["task.submitted", "task.started", "task.completed"]
    for words, right in (
        ([], whole),
        (["--count", "2"], whole[:2]),
        (["--count", "9"], whole),
        (["--follow", "--after", "0", "--count", "3"], whole),
    ):
        told = await shell.types("events", "--task", "spoken", "--json", *words)
        assert [json.loads(line)["type"] for line in told.splitlines()] == right
    nobody = ("events", "--task", "nobody")
    assert await shell.types(*nobody) == ""
    assert await shell.types(*nobody, "--follow", "--timeout", "0.3") == ""
    assert await shell.types(*nobody, "--follow", "--timeout", "0.3", "--count", "1", ends=5) == ""


async def _people(shell: Shell) -> None:
    await shell.types("submit", "asks", "--id", "letter")

    async def asked() -> bool:
        return "Go on?" in await shell.types("questions")

    await eventually(asked)
    await shell.types("answer", "letter", "perhaps", ends=4)
    assert "Answered letter" in await shell.types("answer", "letter", "yes")
    assert await shell.types("wait", "letter") == '"yes"\n'


async def _fleet(shell: Shell) -> None:
    assert "ada" in await shell.types("agents")
    assert (await shell.found("agents", "--listening"))["agent_id"] == "ada"
    assert "square" in await shell.types("agent", "ada")
    assert "task:square" in await shell.types("queues")
    assert "1 of 1 agents" in await shell.types("top", "--once")
    assert (await shell.found("top"))["health"]["status"] == "healthy"
    assert "healthy" in await shell.types("health")
    await shell.types("submit", "square", "--capability", "nobody-has-it", "--priority", "low")
    assert (await shell.found("clear", "low", "--yes"))["cleared_count"] == 1


async def _many(shell: Shell, folder: Path) -> None:
    lines = [json.dumps({"task_type": "square", "n": n}) for n in range(3)]
    (folder / "tasks.jsonl").write_text("\n".join(lines))
    many = ("submit", "--each", str(folder / "tasks.jsonl"), "--group", "report-7")
    ids = (await shell.types(*many)).split()
    assert len(ids) == 3
    assert (await shell.types("wait", *ids)).count("completed") == 3
    assert (await shell.found("groups", "wait", "report-7"))["ended"] == 3
    assert "3 of 3" in await shell.types("groups", "show", "report-7")
    assert (await shell.found("groups", "cancel", "report-7", "--yes"))["cancelled"] == 0
    assert await shell.types("callbacks", "--state", "dead") == ""


async def _schedules(shell: Shell) -> None:
    create = ("schedules", "create", "0 3 * * *", "square", "n:=1", "--id", "nightly")
    assert "nightly" in await shell.types(*create)
    assert "nightly" in await shell.types("schedules")
    assert "paused" in await shell.types("schedules", "pause", "nightly")
    assert (await shell.found("schedules", "resume", "nightly"))["paused"] is False
    edited = await shell.found("schedules", "edit", "nightly", "--cron", "0 4 * * *")
    assert edited["cron"] == "0 4 * * *"
    run = await shell.found("schedules", "run", "nightly")
    assert (await shell.found("wait", run["task_id"]))["state"] == "completed"
    assert "Deleted nightly" in await shell.types("schedules", "delete", "nightly")
    assert "ada drains" in await shell.types("drain", "ada")
