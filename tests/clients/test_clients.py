"""Agents that were written with clients of other languages, against the real system: each is registered,
is given a task, does it, and its heartbeats are read whole.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.docs.blocks import ROOT, blocks
from tests.e2e.processes import client, get, ready, service, spawned
from tests.support.broker import Broker
from tests.support.sources import must_have_a_broker
from tests.support.waiting import eventually

HERE = Path(__file__).parent
GO_PATH = "/usr/share/gocode"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """How to run the agent of a language, and how to find out whether that can be done here."""

    command: tuple[str, ...]
    proof: tuple[str, ...]
    """Succeeds where the language and its client are there."""
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_here(self) -> bool:
        if shutil.which(self.proof[0]) is None:
            return False
        found = subprocess.run(self.proof, cwd=HERE, capture_output=True, check=False)
        return found.returncode == 0


CLIENTS = {
    "node": Client(
        command=("node", str(HERE / "agent.js")), proof=("node", "-e", 'require("amqplib")')
    ),
    "ruby": Client(
        command=("ruby", str(HERE / "agent.rb")), proof=("ruby", "-e", 'require "bunny"')
    ),
    "php": Client(
        command=("php", str(HERE / "agent.php")),
        proof=("php", "-r", 'require_once "PhpAmqpLib/autoload.php";'),
    ),
    "go": Client(
        command=("go", "run", str(HERE / "agent.go")),
        proof=("test", "-d", f"{GO_PATH}/src/github.com/rabbitmq/amqp091-go"),
        environment={"GOPATH": GO_PATH, "GO111MODULE": "off", "GOFLAGS": ""},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("language", CLIENTS)
async def test_an_agent_in_another_language_does_a_task(
    broker: Broker, tmp_path: Path, language: str
) -> None:
    agent = CLIENTS[language]
    if not agent.is_here:
        missing = f"no client for {language}: run tests/clients/install.sh"
        pytest.fail(missing) if must_have_a_broker() else pytest.skip(missing)
    environment = {
        "COORDINATOR_AMQP_URL": broker.url,
        "GOCACHE": os.environ.get("GOCACHE", str(Path.home() / ".cache/go-build")),
        **agent.environment,
    }
    async with (
        service(broker.url, tmp_path / "data") as (_, url),
        client(url) as http,
    ):
        await ready(http)
        output = tmp_path / "agent.out"
        async with spawned(*agent.command, output=output, environment=environment) as process:

            async def heard() -> bool:
                assert not process.ended, process.printed
                answer = await http.get(f"/agents/{language}-agent")
                if answer.status_code != 200:
                    return False
                agent = answer.json()["agent"]
                # What came before the beat is heard by then, too: its types are known.
                return bool(agent["last_heartbeat"] != agent["registration_time"])

            await eventually(heard, timeout=120)
            task_id = await submit(http, f"reverse-{language}")

            async def ended() -> bool:
                assert not process.ended, process.printed
                return bool((await get(http, f"/tasks/{task_id}"))["task"]["state"] == "completed")

            await eventually(ended, timeout=60)
            task = (await get(http, f"/tasks/{task_id}"))["task"]
            assert task["result"] == {"reversed": "desserts"}
            view = (await get(http, f"/agents/{language}-agent"))["agent"]
            assert (view["status"], view["metadata"]) == ("active", {})
            assert (await get(http, "/parked"))["total"] == 0


async def submit(http: httpx.AsyncClient, task_type: str) -> str:
    data = {"task_type": task_type, "text": "stressed"}
    answer = await http.post("/tasks/submit", json={"task_data": data, "priority": "high"})
    answer.raise_for_status()
    task_id: str = answer.json()["task_id"]
    return task_id


@pytest.mark.any_broker
async def test_the_program_of_the_guide_says_why_it_was_refused_and_ends(
    broker: Broker, tmp_path: Path
) -> None:
    page = ROOT / "docs/guides/agents-in-other-languages.md"
    (code,) = [one.code for one in blocks(page) if one.verb == "file"]
    program = tmp_path / "plain_agent.py"
    program.write_text(code.replace('"agent_type": "worker"', '"agent_type": "novelist"'))
    environment = {"COORDINATOR_AMQP_URL": broker.url}
    async with (
        service(broker.url, tmp_path / "data") as (_, url),
        client(url) as http,
    ):
        await ready(http)
        command = (sys.executable, str(program))
        output = tmp_path / "agent.out"
        async with spawned(*command, output=output, environment=environment) as process:
            assert await process.wait() == 1
            assert "agent_type 'novelist' is not one of" in process.printed
