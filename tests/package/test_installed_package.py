"""The wheel in environments where nothing else is: for agents alone, for the service, with all extras."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

from coordinator import DISTRIBUTION, __version__
from tests.e2e.processes import ROOT

from .environments import Built, Environment, install, installed

pytestmark = pytest.mark.slow

EXTRAS = tuple(
    tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
)

IMPORTING = """
import importlib, pkgutil, sys
lacking = {}
for package in sys.argv[1:]:
    for found in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        if found.name.endswith("__main__"):
            continue
        try:
            importlib.import_module(found.name)
        except ModuleNotFoundError as exc:
            lacking[found.name] = exc.name.partition(".")[0]
print(lacking)
"""

AGENT = """
from consumers import Agent

agent = Agent("counter")


@agent.task("count")
async def count(task):
    return {"words": len(task.data["text"].split())}
"""

TRYING = """
from {sdk}.testing import run_task_sync
from my_agent import agent

print(run_task_sync(agent, {{"task_type": "count", "text": "to be"}}).result)
"""

FOR_THE_SERVICE = (
    *(["serve"], ["up", "--port", "0"], ["doctor"], ["rebuild"], ["demo"]),
    *(["keys", "list"], ["agents", "list"]),
)


@pytest.fixture(scope="module")
def agents_alone(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return installed(tmp_path_factory.mktemp("agents"), built.wheel)


def assert_whole(environment: Environment) -> None:
    """The command works, and the package knows its own version."""
    ended = environment.run("coordinator", "--version")
    assert (ended.stdout, ended.stderr) == (f"{__version__}\n", "")
    told = f"from importlib.metadata import version; print(version({DISTRIBUTION!r}))"
    assert environment.run("python", "-c", told).stdout == f"{__version__}\n"


def lacking_libraries(environment: Environment, *packages: str) -> set[str]:
    """What is not installed, of all that the modules of ``packages`` import."""
    ended = environment.run("python", "-c", IMPORTING, *packages)
    assert ended.returncode == 0, ended.stderr
    lacking: dict[str, str] = ast.literal_eval(ended.stdout)
    return set(lacking.values())


def test_agents_need_nothing_of_the_service(agents_alone: Environment) -> None:
    assert_whole(agents_alone)
    lacking = lacking_libraries(agents_alone, "consumers", "coordinator.agents")
    assert lacking == {
        "obstore",
        "opentelemetry",
        "prometheus_client",
        "watchfiles",
    }  # extras, where an agent has a use for them
    for absent in ("fastapi", "sqlalchemy", "httpx", "rich", "uvicorn"):
        assert agents_alone.run("python", "-c", f"import {absent}").returncode == 1


@pytest.mark.parametrize("sdk", ["consumers", "coordinator.agents"])
def test_an_agent_is_tested_where_agents_alone_are_installed(
    agents_alone: Environment, tmp_path: Path, sdk: str
) -> None:
    (tmp_path / "my_agent.py").write_text(AGENT)
    (tmp_path / "try_it.py").write_text(TRYING.format(sdk=sdk))
    ended = agents_alone.run("python", "try_it.py", cwd=tmp_path)
    assert (ended.stdout, ended.stderr) == ("{'words': 2}\n", "")


@pytest.mark.parametrize("arguments", FOR_THE_SERVICE, ids=lambda one: one[0])
def test_a_command_of_the_service_names_the_extra_in_one_line(
    agents_alone: Environment, arguments: list[str]
) -> None:
    broker = {"COORDINATOR_AMQP_URL": "amqp://127.0.0.1:1/"}
    ended = agents_alone.run("coordinator", *arguments, environment=broker)
    assert ended.returncode == 1
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert line.endswith(f"run pip install '{DISTRIBUTION}[service]'")


def test_the_client_names_its_extra(agents_alone: Environment) -> None:
    ended = agents_alone.run("python", "-c", "import coordinator.client")
    assert ended.stderr.splitlines()[-1] == (
        "ModuleNotFoundError: The client needs the extra `client` (httpx is not installed):"
        f" run pip install '{DISTRIBUTION}[client]'"
    )


def test_help_needs_no_extra(agents_alone: Environment) -> None:
    ended = agents_alone.run("coordinator", "--help")
    assert ended.returncode == 0, ended.stderr


def test_the_service_needs_the_extra_of_its_name_alone(built: Built, tmp_path: Path) -> None:
    environment = installed(tmp_path / "service", built.wheel, ["service"])
    assert_whole(environment)
    ended = environment.run("coordinator", "serve")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("coordinator: No broker is named")
    assert lacking_libraries(environment, "coordinator", "consumers") <= {
        "obstore",
        "opentelemetry",
        "psycopg",
    }
    ended = environment.run("coordinator", "demo", "--url", "http://127.0.0.1:1")
    (line,) = ended.stderr.splitlines()
    assert "start one with" in line


def test_the_client_needs_the_extra_of_its_name_alone(built: Built, tmp_path: Path) -> None:
    environment = installed(tmp_path / "client", built.wheel, ["client"])
    assert lacking_libraries(environment, "coordinator.client") == set()


def test_with_all_extras_every_module_is_imported(built: Built, tmp_path: Path) -> None:
    environment = installed(tmp_path / "all", built.wheel, EXTRAS)
    assert_whole(environment)
    assert lacking_libraries(environment, "coordinator", "consumers") == set()


def test_an_agent_runs_with_the_oldest_libraries_that_it_may_have(
    built: Built, tmp_path: Path
) -> None:
    """Which another package in its environment may ask for."""
    named = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    environment = installed(tmp_path / "oldest", built.wheel)
    install(environment.folder, *(one.replace(">=", "==") + ".0" for one in named), pinned=False)
    (tmp_path / "my_agent.py").write_text(AGENT)
    (tmp_path / "try_it.py").write_text(TRYING.format(sdk="consumers"))
    ended = environment.run("python", "try_it.py", cwd=tmp_path)
    assert (ended.stdout, ended.stderr) == ("{'words': 2}\n", "")
