"""Agents that were written with clients of other languages and protocols, against the real system: each is
registered, is given a task, does it, and its heartbeats are read whole.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from coordinator.agent_users.agent_grant import AgentGrant
from tests.docs.blocks import ROOT, blocks
from tests.e2e.processes import client, get, ready, service, spawned
from tests.support.agent_accounts import account_of
from tests.support.broker import Broker, LocalNode, OwnBroker
from tests.support.broker_users import Account, broker_account
from tests.support.management import ManagementApi
from tests.support.ports import free_port
from tests.support.sources import BrokerSource, must_have_a_broker
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


LEAST = frozenset({"node", "ruby"})
"""Those that declare nothing. The others declare their control queue and use the default exchange."""


@pytest.mark.slow
@pytest.mark.parametrize("language", CLIENTS)
async def test_an_agent_in_another_language_says_who_it_is(
    broker: Broker, tmp_path: Path, language: str
) -> None:
    """Where identity is required: with the least rights, or of before with a user of its own."""
    must_be_here(CLIENTS[language], language)
    agent_id = f"{language}-agent"
    grant = AgentGrant(agent_id=agent_id, task_types=(f"reverse-{language}",))
    account = (
        account_of(broker, grant)
        if language in LEAST
        else broker_account(broker, Account(name=agent_id))
    )
    required = {"COORDINATOR_REQUIRE_IDENTITY": "true"}
    async with account as made:
        url = made if isinstance(made, str) else made[0]
        await does_a_task(language, url, broker.url, tmp_path, settings=required)


AMQP_1_0 = Client(
    command=("node", str(HERE / "agent_amqp1.js")), proof=("node", "-e", 'require("rhea")')
)
STOMP = Client(
    command=(sys.executable, str(HERE / "agent_stomp.py")),
    proof=(sys.executable, "-c", "import stomp"),
)


def must_be_here(client: Client, name: str) -> None:
    if not client.is_here:
        missing = f"no client for {name}: run tests/clients/install.sh"
        pytest.fail(missing) if must_have_a_broker() else pytest.skip(missing)


async def beats(http: httpx.AsyncClient, agent_id: str) -> bool:
    """What came before the beat is heard by then, too: its types are known."""
    answer = await http.get(f"/agents/{agent_id}")
    if answer.status_code != 200:
        return False
    agent = answer.json()["agent"]
    return bool(agent["last_heartbeat"] != agent["registration_time"])


@pytest.mark.slow
@pytest.mark.parametrize("language", CLIENTS)
async def test_an_agent_in_another_language_does_a_task(
    broker: Broker, tmp_path: Path, language: str
) -> None:
    must_be_here(CLIENTS[language], language)
    await does_a_task(language, broker.url, broker.url, tmp_path)


async def does_a_task(
    language: str,
    agents_url: str,
    broker_url: str,
    folder: Path,
    *,
    settings: Mapping[str, str] | None = None,
) -> None:
    """It is registered, done, and nothing of it is parked or left out."""
    agent = CLIENTS[language]
    environment = {
        "COORDINATOR_AMQP_URL": agents_url,
        "GOCACHE": os.environ.get("GOCACHE", str(Path.home() / ".cache/go-build")),
        **agent.environment,
    }
    async with (
        service(broker_url, folder / "data", environment=settings) as (_, url),
        client(url) as http,
    ):
        await ready(http)
        output = folder / "agent.out"
        async with spawned(*agent.command, output=output, environment=environment) as process:

            async def heard() -> bool:
                assert not process.ended, process.printed
                return await beats(http, f"{language}-agent")

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


async def test_an_agent_over_amqp_1_0_does_a_task_fails_one_and_leaves(
    broker: Broker, tmp_path: Path
) -> None:
    if broker.major < (4, 0):
        pytest.skip("RabbitMQ speaks AMQP 1.0 by itself from 4.0 on")
    must_be_here(AMQP_1_0, "AMQP 1.0")
    async with broker_account(broker, Account(name="amqp1-agent")) as url:
        environment = {"COORDINATOR_AMQP_URL": url}
        await does_fails_and_leaves("amqp1", AMQP_1_0, environment, broker.url, tmp_path)


@pytest.mark.slow
async def test_an_agent_over_stomp_does_a_task_fails_one_and_leaves(
    broker_source: BrokerSource, tmp_path: Path
) -> None:
    if broker_source.server is None:
        pytest.skip("the plugin for STOMP is enabled on a node of this machine")
    must_be_here(STOMP, "STOMP")
    port = free_port()
    node = LocalNode(
        tmp_path / "node",
        settings={"stomp.listeners.tcp.1": f"127.0.0.1:{port}"},
        plugins=["rabbitmq_stomp"],
        server=broker_source.server,
        standard_ports=False,
    )
    async with node:
        administrator = {"username": node.username, "password": node.password}
        async with ManagementApi(node.management_url, **administrator) as api:
            broker = OwnBroker(node, api, name="stomp")
            async with broker_account(broker, Account(name="stomp-agent")) as url:
                login = urlsplit(url).netloc.rpartition("@")[0]
                environment = {"COORDINATOR_STOMP_URL": f"stomp://{login}@127.0.0.1:{port}"}
                await does_fails_and_leaves("stomp", STOMP, environment, node.amqp_url, tmp_path)


async def does_fails_and_leaves(
    name: str, agent: Client, environment: Mapping[str, str], broker_url: str, folder: Path
) -> None:
    """The whole life of an agent with a user of its own, where identity is required: nothing of it is parked
    or left out.
    """
    required = {"COORDINATOR_REQUIRE_IDENTITY": "true"}
    async with (
        service(broker_url, folder / "data", environment=required) as (_, url),
        client(url) as http,
        spawned(*agent.command, output=folder / "agent.out", environment=environment) as process,
    ):
        await ready(http)

        async def heard() -> bool:
            assert not process.ended, process.printed
            return await beats(http, f"{name}-agent")

        await eventually(heard, timeout=120)
        done = await submit(http, f"reverse-{name}")
        failing = await submit(http, f"reverse-{name}", text=None)
        for task_id, state in ((done, "completed"), (failing, "dead")):

            async def ended(task_id: str = task_id, state: str = state) -> bool:
                assert not process.ended, process.printed
                return bool((await get(http, f"/tasks/{task_id}"))["task"]["state"] == state)

            await eventually(ended, timeout=60)
        task = (await get(http, f"/tasks/{done}"))["task"]
        assert task["result"] == {"reversed": "desserts"}
        assert (await get(http, f"/tasks/{failing}"))["task"]["error"]["type"] == "Incomplete"
        view = (await get(http, f"/agents/{name}-agent"))["agent"]
        assert (view["status"], view["metadata"]) == ("active", {})
        process.signal(signal.SIGTERM)
        assert await process.wait() == 0, process.printed

        async def gone() -> bool:
            view = (await get(http, f"/agents/{name}-agent"))["agent"]
            return bool(view["status"] == "inactive")

        await eventually(gone)
        assert (await get(http, "/parked"))["total"] == 0


async def submit(http: httpx.AsyncClient, task_type: str, *, text: str | None = "stressed") -> str:
    data = {"task_type": task_type, "text": text}
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
