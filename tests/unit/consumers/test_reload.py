"""`python -m consumers --reload`: what becomes of the agents when their author saves a file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from consumers._reload.agent_subprocess import AgentSubprocess
from consumers._reload.syntax_check import syntax_problem
from tests.support.waiting import eventually

ROOT = Path(__file__).resolve().parents[3]

AGENT = """
import os
from consumers import Agent
agent = Agent("a", amqp_url="amqp://127.0.0.1:1/")
agent.default(lambda task: None)
print("version {version}", os.getpid(), flush=True)
"""

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the command in a folder of its own; both its streams are one."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "consumers", "--reload", *arguments],
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        with process:
            process.terminate()


def line_with(process: subprocess.Popen[str], text: str) -> str:
    """The next line with ``text``; the test ends by its time-out where none comes."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if text in line:
            return line
    raise AssertionError(f"no line with {text!r} among {seen}")


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_file_that_is_saved_starts_the_agent_anew_and_a_signal_ends_all(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text(AGENT.format(version=1))
    process = start("mine.py")
    first = int(line_with(process, "version 1").split()[-1])
    (tmp_path / "mine.py").write_text(AGENT.format(version=2))
    line_with(process, "reload: mine.py was saved: starting anew")
    second = int(line_with(process, "version 2").split()[-1])
    assert not runs(first)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 0
    assert not runs(second)


def test_a_module_beside_the_file_counts_and_what_is_no_python_does_not(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / "other.py").write_text("VERSION = 1\n")
    agent = AGENT.format(version="of") + "print('other', VERSION, flush=True)\n"
    (tmp_path / "mine.py").write_text("from other import VERSION\n" + agent)
    process = start("mine.py")
    line_with(process, "other 1")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "other.py").write_text("VERSION = 2\n")
    assert "other.py was saved" in line_with(process, "was saved")
    line_with(process, "other 2")


def test_a_syntax_error_is_one_line_and_the_agent_goes_on_until_the_next_save(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text(AGENT.format(version=1))
    process = start("mine.py")
    first = int(line_with(process, "version 1").split()[-1])
    (tmp_path / "mine.py").write_text("\ndef broken(:\n")
    told = line_with(process, "SyntaxError")
    assert (
        told == "reload: mine.py, line 2: SyntaxError: invalid syntax: waiting for the next save\n"
    )
    assert runs(first)
    (tmp_path / "mine.py").write_text(AGENT.format(version=3))
    assert line_with(process, "reload: ") == "reload: mine.py was saved: starting anew\n"
    line_with(process, "version 3")


def test_a_syntax_error_at_the_start_is_one_line_and_the_next_save_starts_it(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text("def broken(:\n")
    process = start("mine.py")
    assert process.stdout is not None
    assert "mine.py, line 1: SyntaxError" in process.stdout.readline()
    (tmp_path / "mine.py").write_text(AGENT.format(version=2))
    line_with(process, "version 2")


def test_an_agent_that_fails_is_started_by_the_next_save(start: Start, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import no_such_module\n")
    process = start("mine.py")
    line_with(process, "error: mine.py cannot be imported: ModuleNotFoundError")
    assert line_with(process, "reload: ") == "reload: ended with 1: waiting for the next save\n"
    (tmp_path / "mine.py").write_text(AGENT.format(version=2))
    line_with(process, "version 2")


def test_what_cannot_be_watched_is_told_at_once(start: Start) -> None:
    process = start("mine.py")
    assert process.communicate()[0] == "error: there is no file mine.py\n"
    assert process.returncode == 1


def test_without_watchfiles_the_extra_is_named(start: Start, tmp_path: Path) -> None:
    (tmp_path / "watchfiles.py").write_text("raise ModuleNotFoundError('watchfiles')\n")
    (tmp_path / "mine.py").write_text(AGENT.format(version=1))
    process = start("mine.py", PYTHONPATH=f"{tmp_path}:{ROOT}")
    told = process.communicate()[0]
    assert told.startswith("error: --reload needs the extra `reload` (")
    assert "run pip install 'rabbitmq-agent-coordinator[reload]'" in told
    assert process.returncode == 1


STUBBORN = """
import signal, sys, time
left = int(sys.argv[1])

def told(*_):
    global left
    left -= 1
    if left == 0:
        sys.exit(0)

signal.signal(signal.SIGTERM, told)
open(sys.argv[2], "w").close()
while True:
    time.sleep(60)
"""


@pytest.mark.parametrize(
    ("times", "patience", "code"),
    [(1, (60, 60), 0), (2, (2, 60), 0), (3, (0.01, 0.01), -signal.SIGKILL)],
)
async def test_what_does_not_end_is_told_again_and_then_killed(
    tmp_path: Path, times: int, patience: tuple[float, float], code: int
) -> None:
    listening = tmp_path / "listening"
    process = await AgentSubprocess.start(
        [sys.executable, "-c", STUBBORN, str(times), str(listening)]
    )
    await eventually(listening.exists)
    await process.stop(drain=patience[0], hurry=patience[1])
    assert process.ended.result() == code


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (b"x = 1\n", None),
        (b"x = '\\d'\n", None),
        (b"\n\nif True\n", "a.py, line 3: SyntaxError: expected ':'"),
        (b" x = 1\n", "a.py, line 1: IndentationError: unexpected indent"),
        (b"x = \xff\n", "a.py, line 1: SyntaxError: "),
        (b"x = 1\0\n", "a.py"),
    ],
)
def test_what_keeps_a_file_from_being_compiled_is_one_line(
    tmp_path: Path, source: bytes, problem: str | None
) -> None:
    (tmp_path / "a.py").write_bytes(source)
    told = syntax_problem([tmp_path / "a.py", tmp_path / "gone.py"])
    if problem is None:
        assert told is None
    else:
        assert told is not None
        assert told.startswith(problem)
        assert "\n" not in told
