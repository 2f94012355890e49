"""What `deploy/` names is there, under that name."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from consumers.__main__ import find_agent
from consumers.examples.fleet import ready_members
from coordinator.environment import ENV_PREFIX, FILE
from coordinator.rabbitmq_node.node_configuration import CONSUMER_TIMEOUT
from coordinator.settings import Settings
from coordinator.submission.request_limits import RequestLimits
from tests.support import sources

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"

SETTINGS = {f"{ENV_PREFIX}{name.upper()}" for name in Settings.model_fields}
OF_TESTS = {sources.AMQP_URL, sources.MANAGEMENT_URL, sources.ROOTS}


@pytest.fixture
def services() -> dict[str, Any]:
    compose = yaml.safe_load((DEPLOY / "compose/compose.yaml").read_text())
    services: dict[str, Any] = compose["services"]
    return services


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in sorted(DEPLOY.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_each_variable_is_a_setting(path: Path) -> None:
    named = set(re.findall(rf"\b{ENV_PREFIX}[A-Z_]+\b", path.read_text()))
    assert {name.removesuffix(FILE) for name in named} <= SETTINGS | OF_TESTS


@pytest.mark.parametrize("file", ["rabbitmq.conf", "policies.sh"])
def test_no_task_outlasts_the_time_that_a_consumer_may_hold_it(file: str) -> None:
    text = (DEPLOY / "rabbitmq" / file).read_text()
    shipped = re.findall(
        r"^consumer_timeout = (\d+)|\"consumer-timeout\": (\d+)", text, re.MULTILINE
    )
    assert [timedelta(milliseconds=int(a or b)) for a, b in shipped] == [CONSUMER_TIMEOUT]
    assert RequestLimits().max_timeout < CONSUMER_TIMEOUT


def test_what_the_image_is_built_from_is_there_and_let_in() -> None:
    lines = (DEPLOY / "docker/Dockerfile").read_text().splitlines()
    copied = [
        name
        for line in lines
        if line.startswith("COPY ") and "--from" not in line
        for name in line.split()[1:-1]
    ]
    let_in = (DEPLOY / "docker/Dockerfile.dockerignore").read_text().splitlines()
    assert copied
    for name in copied:
        assert (ROOT / name).exists(), name
        assert f"!{name}" in let_in


def test_the_agents_of_the_compose_file_are_those_of_make_run(services: dict[str, Any]) -> None:
    """So that what the pages submit is done there as well."""
    commands = {
        name: service["command"]
        for name, service in services.items()
        if service["image"] == "agent-coordinator" and "command" in service
    }
    for name, command in commands.items():
        assert command[:3] == ["python", "-m", "consumers"]
        assert find_agent(command[3]).agent_id == name
    assert set(commands) == {member.agent_id for member in ready_members({})}


def test_nothing_is_published_beyond_this_machine(services: dict[str, Any]) -> None:
    for name, service in services.items():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), (name, port)


def test_a_container_that_listens_on_all_its_addresses_asks_for_credentials(
    services: dict[str, Any],
) -> None:
    image = (DEPLOY / "docker/Dockerfile").read_text()
    assert "COORDINATOR_HTTP_HOST=0.0.0.0" in image
    assert "COORDINATOR_AUTH=required" in image
    told = services["coordinator"]["environment"]
    assert told["COORDINATOR_AUTH"] == "${COORDINATOR_AUTH:-required}"


def test_files_of_the_compose_file_exist_or_are_made(
    services: dict[str, Any], secrets: Path
) -> None:
    for service in services.values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            made = secrets / Path(source).name
            there = DEPLOY / "compose" / source
            assert not source.startswith(".") or there.exists() or made.exists(), volume


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """The folder that the script has made."""
    script = tmp_path / "secrets.sh"
    shutil.copy(DEPLOY / "compose" / "secrets.sh", script)
    subprocess.run([script], check=True, stdout=subprocess.DEVNULL)
    return tmp_path / "secrets"


def test_secrets_are_made_once_and_for_one_person(secrets: Path) -> None:
    assert secrets.stat().st_mode & 0o777 == 0o700
    made = {path.name: path.read_text() for path in secrets.iterdir()}
    named = set[str]()
    for file in ("compose.yaml", "postgres.yaml"):
        compose = yaml.safe_load((DEPLOY / "compose" / file).read_text())
        named |= {Path(secret["file"]).name for secret in compose["secrets"].values()}
    assert set(made) == named | {"rabbitmq.conf"}
    (password,) = re.findall(r"^default_pass = (\w{48})$", made["rabbitmq.conf"], re.MULTILINE)
    assert made["amqp-url"] == f"amqp://coordinator:{password}@rabbitmq:5672\n"
    assert made["postgres-password"].strip() in made["database-url"]
    subprocess.run([secrets.parent / "secrets.sh"], check=True, stdout=subprocess.DEVNULL)
    assert {path.name: path.read_text() for path in secrets.iterdir()} == made


def test_no_service_has_a_password_in_its_environment(services: dict[str, Any]) -> None:
    postgres = yaml.safe_load((DEPLOY / "compose/postgres.yaml").read_text())["services"]
    for service in (*services.values(), *postgres.values()):
        for name in service.get("environment", {}):
            assert name.endswith("_FILE") or not re.search(r"PASS|SECRET|URL", name), name


def test_each_container_is_bounded_and_ours_write_to_their_volumes_alone(
    services: dict[str, Any],
) -> None:
    for name, service in services.items():
        assert "mem_limit" in service, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        if service["image"] == "agent-coordinator":
            assert service["read_only"] is True, name
            assert service["cap_drop"] == ["ALL"], name


def test_nobody_asks_a_registry_for_an_image_that_only_a_build_gives(
    services: dict[str, Any],
) -> None:
    for name, service in services.items():
        if service["image"] == "agent-coordinator":
            assert "build" in service or service["pull_policy"] == "never", name


def test_agents_beside_the_containers_reach_the_broker(services: dict[str, Any]) -> None:
    assert "127.0.0.1:5672:5672" in services["rabbitmq"]["ports"]


PACKAGE_LISTS = Path("/var/lib/apt/lists")


@pytest.mark.parametrize(
    "path", sorted(DEPLOY.rglob("*.sh")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_packages_are_installed_by_the_one_script_that_waits_for_others(path: Path) -> None:
    assert ("apt-get -" in path.read_text()) == (path == DEPLOY / "apt.sh")


@pytest.mark.skipif(
    shutil.which("flock") is None or not PACKAGE_LISTS.is_dir(), reason="this system has no apt-get"
)
async def test_packages_are_installed_one_after_another(tmp_path: Path) -> None:
    """By an apt-get of this test's own, which ends with 1 where another one is at work."""
    apt_get = tmp_path / "apt-get"
    apt_get.write_text('#!/bin/sh\nset -e\nmkdir "$0.busy"\nsleep 0.1\nrmdir "$0.busy"\n')
    apt_get.chmod(0o755)
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    started = [
        await asyncio.create_subprocess_exec(
            DEPLOY / "apt.sh", "update", env=os.environ | {"PATH": path}
        )
        for _ in range(4)
    ]
    assert [await one.wait() for one in started] == [0] * 4
