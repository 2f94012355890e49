"""`python -m consumers --reload`: what becomes of the agents when their author saves a file."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from consumers._reload.agent_subprocess import AgentSubprocess
from consumers._reload.reloader import _Reloader, reload_agents
from consumers._reload.syntax_check import syntax_problem
from coordinator.errors import OperatorError
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

    def run(
        *arguments: str, before: Sequence[str] = (), **environment: str
    ) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*before, sys.executable, "-m", "consumers", "--reload", *arguments],
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
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:  # so that it is not left to the tests that follow
                process.kill()
                raise


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


def test_where_the_command_is_killed_the_agent_ends_too(start: Start, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(AGENT.format(version=1))
    process = start("mine.py")
    line_with(process, "version 1")
    process.kill()
    assert process.stdout is not None
    process.stdout.read()  # it ends when nobody has it open any more


ENDS_LATE = """
import os, pathlib, signal, time
print("started", flush=True)
here = pathlib.Path(__file__).parent
told = 0

def tell(*_):
    global told
    told += 1
    (here / f"told-{told}").touch()

signal.signal(signal.SIGTERM, tell)
while told < 2:
    time.sleep(0.01)
"""


def test_of_many_saves_while_an_agent_ends_few_start_it_anew(start: Start, tmp_path: Path) -> None:
    mine, other = tmp_path / "mine.py", tmp_path / "other.py"
    mine.write_text(ENDS_LATE)
    process = start("mine.py")
    line_with(process, "started")
    mine.write_text(AGENT.format(version=2))
    while not (
        tmp_path / "told-2"
    ).exists():  # for five seconds: many times what is taken as one save
        other.write_text(f"NUMBER = {time.monotonic_ns()}\n")
        time.sleep(0.01)
    (tmp_path / "last.py").write_text("")
    starts = 0
    while "last.py" not in line_with(process, "was saved"):
        starts += 1
    # One for what began it, one for all until the end, one for what was noticed after that.
    assert starts <= 3


def test_a_folder_below_that_may_not_be_read_is_passed_over(start: Start, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(AGENT.format(version=1))
    (tmp_path / "secret").mkdir(mode=0)
    as_others: tuple[str, ...] = ()
    if os.geteuid() == 0:  # who may read all
        os.chown(tmp_path / "secret", 65534, 65534)
        as_others = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    process = start("mine.py", before=as_others)
    line_with(process, "version 1")
    (tmp_path / "mine.py").write_text(AGENT.format(version=2))
    line_with(process, "version 2")


def test_folders_that_cannot_be_watched_are_one_sentence_and_nothing_goes_on(
    tmp_path: Path,
) -> None:
    pid = tmp_path / "pid"
    command = ["sh", "-c", f"echo $$ > {pid}; exec sleep 3600"]
    with pytest.raises(OperatorError, match=r"cannot be watched: .*WATCHFILES_FORCE_POLLING=1"):
        reload_agents(command, files=[], folders=[tmp_path / "none"])
    assert not pid.exists() or not runs(int(pid.read_text()))


@pytest.mark.parametrize("steps", range(1, 30))
async def test_a_signal_counts_at_each_moment_of_a_start(tmp_path: Path, steps: int) -> None:
    reloading = asyncio.create_task(_Reloader(["sleep", "3600"], [tmp_path]).run([]))
    for _ in range(steps):
        await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await reloading == 0


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
