"""With `COORDINATOR_LOG_FORMAT=json` every line of a process is an object, the first and the last, too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

ENDING = """
import warnings
from consumers._process.log_format import log_to_standard_error

def raise_it():
    raise ValueError("too bad")

log_to_standard_error()
warnings.warn("old")
raise_it()
"""


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if "COORDINATOR_" not in name}
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=clean | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def lines(printed: str) -> list[dict[str, Any]]:
    """Each of them must be an object."""
    found = [json.loads(line) for line in printed.splitlines()]
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in found)
    return found


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["-m", "coordinator", "serve"], "No broker is named"),
        (["-m", "coordinator", "serve", "--port", "x"], "--port=x is not valid"),
        (["-m", "coordinator", "serve", "--nonsense"], "unrecognized arguments"),
        (["-m", "consumers", "nowhere.py"], "there is no file nowhere.py"),
        (["-m", "consumers"], "arguments are required"),
    ],
    ids=["no broker", "wrong setting", "wrong option", "no agent", "no argument"],
)
def test_why_a_command_cannot_start_is_one_object(command: list[str], says: str) -> None:
    ended = run(*command, COORDINATOR_LOG_FORMAT="json")
    assert ended.returncode != 0
    assert ended.stdout == ""
    (line,) = lines(ended.stderr)
    assert line["level"] == "error"
    assert says in line["message"]
    assert not run(*command).stderr.startswith("{")


def test_an_agent_that_cannot_be_imported_tells_the_traceback_in_its_line(tmp_path: Path) -> None:
    (tmp_path / "broken_agent.py").write_text("raise ValueError('not today')\n")
    path = str(tmp_path / "broken_agent.py")
    (line,) = lines(run("-m", "consumers", path, COORDINATOR_LOG_FORMAT="json").stderr)
    assert "not today" in line["message"]
    assert "Traceback" in line["exception"]


def test_an_exception_that_ends_an_agent_is_one_object_and_so_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "ending_agent.py"
    path.write_text(ENDING)
    ended = run(str(path), COORDINATOR_LOG_FORMAT="json")
    warned, last = lines(ended.stderr)
    assert "old" in warned["message"]
    assert (last["level"], last["message"]) == ("critical", "ended by ValueError: too bad")
    assert "raise_it" in last["exception"]


@pytest.mark.parametrize(("level", "seen"), [("warning", []), ("", ["told"]), ("INFO", ["told"])])
def test_an_agent_prints_what_the_level_lets_through(level: str, seen: list[str]) -> None:
    code = (
        "import logging; from consumers._process.log_format import log_to_standard_error as set_up;"
        "set_up(); logging.getLogger('consumers.x').info('told')"
    )
    ended = run("-c", code, COORDINATOR_LOG_FORMAT="json", COORDINATOR_LOG_LEVEL=level)
    assert [line["message"] for line in lines(ended.stderr)] == seen


def test_what_a_producer_chose_begins_no_line_of_an_agents_text_log() -> None:
    code = (
        "import logging; from consumers._process.log_format import log_to_standard_error as set_up;"
        "set_up(); logging.getLogger('consumers.x').info('told', extra={'task_type': 'a\\nERROR b\\x1b[2J'})"
    )
    (line,) = run("-c", code).stderr.splitlines()
    assert line.endswith(r"consumers.x: told  task_type=a\nERROR b\x1b[2J")


def test_an_agent_says_which_levels_there_are() -> None:
    code = "from consumers._process.log_format import log_to_standard_error as f; f()"
    ended = run("-c", code, COORDINATOR_LOG_LEVEL="loud")
    assert ended.stderr.splitlines()[-1].endswith(
        "COORDINATOR_LOG_LEVEL='loud' is not valid: give one of debug, info, warning, error"
    )
