"""Where an agent can be run as a process, and what `python -m consumers` says of a file that it cannot."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from consumers import Agent

ROOT = Path(__file__).resolve().parents[3]

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def agent() -> Agent:
    agent = Agent("a", amqp_url="amqp://127.0.0.1:1/")
    agent.default(lambda task: None)
    return agent


async def test_an_agent_that_is_run_inside_an_event_loop_is_told_what_to_write_instead(
    agent: Agent,
) -> None:
    with pytest.raises(RuntimeError, match=r"one runs here already: .*`async with agent\.running"):
        agent.run()
    with pytest.raises(RuntimeError, match="one runs here already"):
        agent.run()


def test_an_agent_that_is_run_in_another_thread_is_told_what_to_write_instead(
    agent: Agent,
) -> None:
    raised: list[BaseException] = []

    def work() -> None:
        try:
            agent.run()
        except BaseException as exc:  # noqa: BLE001 - looked at below
            raised.append(exc)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    (error,) = raised
    assert isinstance(error, RuntimeError)
    assert "only the main thread can" in str(error)
    assert "async with agent.running()" in str(error)


async def test_a_running_agent_is_entered_once(agent: Agent) -> None:
    life = agent.running()
    async with life:
        with pytest.raises(RuntimeError, match=r"entered once: call agent\.running\(\)"):
            await life.__aenter__()
    with pytest.raises(RuntimeError, match="entered once"):
        await life.__aenter__()
    async with agent.running():
        pass  # another one


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """`python -m consumers` with a file of this text, or of that name."""

    def run(text: str | None, *, target: str = "mine.py") -> subprocess.CompletedProcess[str]:
        if text is not None:
            (tmp_path / target.partition(":")[0]).write_text(text)
        return subprocess.run(
            [sys.executable, "-m", "consumers", target],
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT), "COORDINATOR_AMQP_URL": "amqp://127.0.0.1:1/"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.mark.parametrize(
    ("text", "target", "said"),
    [
        (None, "mine.py:agent", "error: there is no file mine.py"),
        (None, "mine", "error: there is no module mine"),
        (None, "a/mine:agent", "error: 'a/mine' is neither a module nor a file that ends in .py"),
        (None, ":agent", "error: '' is neither a module nor a file that ends in .py"),
        ("", "mine.py", "error: mine.py has no agent named 'agent': it has no agent at all"),
        ("", "mine.py:", "error: mine.py has no agent named 'agent': it has no agent at all"),
        (
            "",
            "queue.py",
            (
                "error: queue.py cannot be imported beside the module queue, which agents need: give the"
                " file another name"
            ),
        ),
        (
            "from consumers import Agent\nagent = Agent('a')",
            "mine.py",
            (
                'error: This agent has no handler: write @agent.task("the type") or @agent.default above'
                " a function"
            ),
        ),
    ],
)
def test_an_agent_that_cannot_be_run_is_told_in_one_line(
    command: Command, text: str | None, target: str, said: str
) -> None:
    ran = command(text, target=target)
    assert (ran.returncode, ran.stdout, ran.stderr) == (1, "", f"{said}\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("from consumers import Agnet", "ImportError: cannot import name 'Agnet' from 'consumers'"),
        ("def broken(:\n", "SyntaxError: invalid syntax"),
        ("import sys; sys.exit(0)", "SystemExit: 0"),
        ("raise BaseException('odd')", "BaseException: odd"),
        (
            "from consumers import Agent\nAgent('')",
            "coordinator.errors.InvalidRequest: the id of an agent",
        ),
        (
            "from consumers import Agent\nagent = Agent('a')\nagent.run()",
            (
                "RuntimeError: agent.run() was called while `python -m consumers` imports this file, which"
                ' then runs the agent itself: write it below `if __name__ == "__main__":`'
            ),
        ),
    ],
)
def test_an_error_of_the_authors_own_code_has_its_traceback_and_a_last_line(
    command: Command, text: str, said: str
) -> None:
    ran = command(text)
    assert ran.returncode == 1
    *trace, last = ran.stderr.splitlines()
    assert last.startswith(f"error: mine.py cannot be imported: {said}")
    assert 'mine.py", line ' in ran.stderr
    assert "importlib" not in ran.stderr
    assert trace
