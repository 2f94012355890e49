"""`coordinator.agents`: the SDK under a name that a project's own `consumers.py` does not take."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import consumers
import consumers.testing
import coordinator.agents
import coordinator.agents.sdk
import coordinator.agents.testing
from tests.e2e.processes import ROOT

COUNTER = """
from coordinator.agents import Agent

agent = Agent("counter", capabilities=["counting"])


@agent.task("count")
async def count(task):
    return {"words": len(task.data["text"].split())}
"""

TRIED = """
from coordinator.agents.testing import run_task_sync
from {module} import agent

print(run_task_sync(agent, {{"task_type": "count", "text": "to be"}}).result)
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python in ``folder``, with nothing but what is installed and the folder itself."""
    clean = {name: one for name, one in os.environ.items() if not name.startswith("COORDINATOR_")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=clean | {"COORDINATOR_AMQP_URL": "not an address"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_both_names_give_the_same_things() -> None:
    assert sorted(coordinator.agents.__all__) == sorted(consumers.__all__)
    assert sorted(coordinator.agents.testing.__all__) == sorted(consumers.testing.__all__)
    assert sorted(coordinator.agents.sdk.__all__) == sorted(consumers.__all__)
    program = """
import consumers, consumers.testing, coordinator.agents, coordinator.agents.testing
for one, other in ((consumers, coordinator.agents), (consumers.testing, coordinator.agents.testing)):
    for name in one.__all__:
        assert getattr(one, name) is getattr(other, name), name
"""
    ended = run(ROOT, "-c", program)
    assert ended.returncode == 0, ended.stderr


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Agents'"):
        _ = coordinator.agents.Agents  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="no attribute 'run'"):
        _ = coordinator.agents.testing.run  # type: ignore[attr-defined]


@pytest.mark.parametrize("module", ["consumers", "counter"])
def test_handlers_are_tested_also_in_a_file_that_hides_the_package(
    tmp_path: Path, module: str
) -> None:
    (tmp_path / "consumers.py").write_text("")
    (tmp_path / f"{module}.py").write_text(COUNTER)
    (tmp_path / "try_it.py").write_text(TRIED.format(module=module))
    ended = run(tmp_path, "try_it.py")
    assert (ended.stdout, ended.stderr) == ("{'words': 2}\n", "")


@pytest.mark.parametrize("started_in", [".", "deeper"])
@pytest.mark.parametrize("module", ["consumers", "counter"])
def test_an_agent_runs_beside_or_from_a_file_that_hides_the_package(
    tmp_path: Path, module: str, started_in: str
) -> None:
    (tmp_path / "deeper").mkdir()
    (tmp_path / "consumers.py").write_text("mine = True")
    (tmp_path / f"{module}.py").write_text(COUNTER + "import consumers\nassert consumers.mine\n")
    if module == "consumers":
        (tmp_path / "consumers.py").write_text(COUNTER)
    target = os.path.relpath(tmp_path / f"{module}.py", tmp_path / started_in)
    ended = run(tmp_path / started_in, "-m", "coordinator.agents", target)
    # It was found and imported: what ends it is the address.
    assert "COORDINATOR_AMQP_URL" in ended.stderr, ended.stderr
    assert "Traceback" not in ended.stderr


def test_what_was_sent_to_another_process_is_found_there(tmp_path: Path) -> None:
    (tmp_path / "consumers.py").write_text("")
    sent = run(
        tmp_path,
        "-c",
        "import pickle; from coordinator.agents import Discard; print(pickle.dumps(Discard('no')).hex())",
    )
    assert sent.returncode == 0, sent.stderr
    code = f"import pickle; print(repr(pickle.loads(bytes.fromhex('{sent.stdout.strip()}'))))"
    assert run(tmp_path, "-c", code).stdout == "Discard('no')\n"


def test_the_example_agents_are_listed_beside_a_file_that_hides_the_package(tmp_path: Path) -> None:
    (tmp_path / "consumers.py").write_text("raise SystemExit('not this one')")
    code = (
        "import asyncio, sys; sys.path.pop(0)\n"
        "from coordinator.commands.example_agent_processes import example_agents\n"
        "print(len(asyncio.run(example_agents(3))))"
    )
    ended = run(tmp_path, "-c", code)
    assert (ended.stdout, ended.stderr) == ("3\n", "")


def test_the_modules_of_the_sdk_name_each_other_by_no_name_of_their_own() -> None:
    """Else they would import a project's `consumers`. Examples are what authors write."""
    named = []
    for path in (ROOT / "consumers").rglob("*.py"):
        if "examples" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.ImportFrom(module=str(module), level=0):
                    modules = [module]
                case ast.Import(names=names):
                    modules = [alias.name for alias in names]
                case _:
                    continue
            if any(module.partition(".")[0] == "consumers" for module in modules):
                place = f"{path.relative_to(ROOT)}:{node.lineno}"
                named.append(f"{place}: write it relative, with dots")
    assert named == []
