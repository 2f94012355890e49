"""`python -m consumers` with several agents in one process, and with a level of the log."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from consumers import Agent
from consumers.agent_process import AgentProcess
from consumers.agent_search import CannotFind, find_agents
from consumers.testing import run_task
from coordinator.errors import InvalidRequest

ROOT = Path(__file__).resolve().parents[3]

TWO = """
import logging
from consumers import Agent
print("imported", flush=True)
first = Agent("one", amqp_url="amqp://127.0.0.1:1/")
second = Agent("two", amqp_url="amqp://127.0.0.1:1/")
empty = Agent("three", amqp_url="amqp://127.0.0.1:1/")
first.default(lambda task: 1)
second.default(lambda task: 2)
"""

Command = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "consumers", *arguments],
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        with process:
            process.terminate()


def test_two_agents_run_in_one_process_until_one_signal(command: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(TWO)
    process = command("mine.py:first", "mine.py:second", "--log-level", "info")
    assert process.stdout is not None
    assert process.stderr is not None
    waiting = {"agent one", "agent two"}
    seen = []
    for line in process.stderr:  # each tells that it cannot connect
        seen.append(line)
        waiting = {name for name in waiting if name not in line}
        if not waiting:
            break
    assert not waiting, seen
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate()
    assert process.returncode == 0
    assert output.count("imported") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["mine.py:first", "mine.py:first"], "two of these agents have the id 'one'"),
        (
            ["mine.py:first", "mine.py:second", "--id", "x"],
            "--id is for one agent, and 2 are named",
        ),
        (
            ["mine.py:first", "mine.py:second", "--metrics-port", "9000"],
            "--metrics-port is for one agent, and 2 are named",
        ),
        (["mine.py:first", "a/mine.py:first"], "since both are the module mine"),
        (["mine.py:first", "mine.py:empty"], "This agent has no handler"),
    ],
)
def test_agents_that_cannot_run_together_are_told_in_one_line(
    command: Command, tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "mine.py").write_text(TWO)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "mine.py").write_text(TWO)
    process = command(*arguments, "--log-level", "error")
    _, told = process.communicate()
    assert process.returncode == 1
    (line,) = told.splitlines()
    assert line.startswith("error: ")
    assert said in line


async def test_agents_of_several_files_each_have_their_handlers(tmp_path: Path) -> None:
    for name in ("agents_one", "agents_two"):
        (tmp_path / f"{name}.py").write_text(TWO)
    wheres = [f"{tmp_path}/agents_one.py:first", f"{tmp_path}/agents_two.py:second"]
    first, second = find_agents(wheres)
    assert [(await run_task(agent)).result for agent in (first, second)] == [1, 2]
    with pytest.raises(CannotFind, match="it has empty, first, second"):
        find_agents([*wheres[:1], f"{tmp_path}/agents_two.py:third"])


@pytest.mark.parametrize("set_up", ["", "logging.basicConfig(level='ERROR')"])
def test_a_level_of_the_command_line_counts_whatever_the_author_has_set_up(
    command: Command, tmp_path: Path, set_up: str
) -> None:
    told_at_the_end = "\nimport atexit\natexit.register(lambda: print(logging.getLogger().level))\n"
    (tmp_path / "mine.py").write_text(TWO + set_up + told_at_the_end)
    process = command("mine.py:first", "--log-level", "warning")
    assert process.stderr is not None
    assert any("WARNING" in line for line in process.stderr)  # it cannot connect
    process.send_signal(signal.SIGTERM)
    assert process.communicate()[0] == "imported\n30\n"


def test_a_level_that_is_none_is_refused(command: Command) -> None:
    process = command("mine.py", "--log-level", "loud")
    assert "invalid choice: 'loud'" in process.communicate()[1]
    assert process.returncode == 2


async def test_agents_are_stopped_together_where_one_cannot_run() -> None:
    good = Agent("good", amqp_url="amqp://127.0.0.1:1/")
    good.default(lambda task: None)
    bad = Agent("bad", amqp_url="amqp://127.0.0.1:1/")
    process = AgentProcess(*((agent.options, agent.handlers) for agent in (good, bad)))
    with pytest.raises(InvalidRequest, match="This agent has no handler"):
        await process._until_told()
