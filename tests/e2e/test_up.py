"""`coordinator up`, as a user runs it: one command, a private RabbitMQ, agents, Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from coordinator.rabbitmq_node.free_ports import choose_port
from coordinator.rabbitmq_node.installed_server import find_server
from tests.e2e.processes import ROOT, Process, client, get, spawned
from tests.support.management import ManagementApi
from tests.support.waiting import eventually

pytestmark = pytest.mark.skipif(
    find_server() is None and not os.environ.get("CI"),
    reason="no RabbitMQ server is installed here",
)

READY = re.compile(r"^ready after", re.MULTILINE)
TOLD = re.compile(r"^Ctrl-C stops everything", re.MULTILINE)
"""Its last line: where everything is was told before."""


def free_port() -> int:
    """Of those that no outgoing connection is given, so that it stays free between two starts."""
    return choose_port([], taken=set())


@contextlib.asynccontextmanager
async def up(
    data_dir: Path, port: int, *more: str, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Process]:
    command = [sys.executable, "-m", "coordinator", "up"]
    command += ["--data-dir", str(data_dir), "--port", str(port), *more]
    environment = {"XDG_CACHE_HOME": str(data_dir / "cache"), **(environment or {})}
    async with spawned(*command, output=data_dir / "up.out", environment=environment) as process:
        yield process


def processes_of(data_dir: Path) -> list[str]:
    """Every process that this machine runs with the folder in its command line or environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                text = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                if str(data_dir).encode() in text and state != "Z":
                    found.append(f"{entry.name} {text[:200]!r}")
    return found


async def is_healthy(data_dir: Path) -> None:
    """As `coordinator doctor` sees it, which finds the private broker by its data folder."""
    command = [sys.executable, "-m", "coordinator", "doctor", "--json"]
    output = data_dir / "doctor.out"
    async with spawned(*command, "--data-dir", str(data_dir), output=output) as doctor:
        assert await doctor.wait() == 0, doctor.printed
        findings = json.loads(doctor.printed)["findings"]
    assert {"version"} >= {one["check"] for one in findings if one["level"] != "ok"}
    assert {"queues", "policies", "log", "outbox"} <= {one["check"] for one in findings}


async def each_has_the_user_that_it_needs(api: ManagementApi) -> bool:
    """Agents those of their own, the service one that is no administrator."""
    tags = {user["name"]: ",".join(user["tags"]) for user in await api.get("users")}
    used: dict[str, set[str]] = {}
    for one in await api.get("connections"):
        name = one.get("user_provided_name", "").split()
        used.setdefault(name[1] if name[:1] == ["agent"] else "the service", set()).add(one["user"])
    agents = {"archivist", "generalist", "inspector", "librarian"}
    if set(used) != {*agents, "the service"}:
        return False
    assert used == {agent: {agent} for agent in agents} | {"the service": {"coordinator-service"}}
    assert tags["coordinator-service"] == ""
    assert all("agent-coordinator-agent" in tags[agent] for agent in agents)
    return True


@pytest.mark.slow
async def test_everything_starts_works_stops_without_a_trace_and_keeps_its_data(
    tmp_path: Path,
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with up(tmp_path, port) as process:
        await process.prints(READY)
        assert f"{url}/docs" in process.printed
        assert re.search(r"RabbitMQ UI +http://127\.0\.0\.1:\d+", process.printed)
        administrator = tmp_path / "rabbitmq" / "administrator.txt"
        assert f"user and password: {administrator}" in process.printed
        assert stat.S_IMODE(administrator.stat().st_mode) == 0o600
        [user, password] = re.findall(
            r"^(?:user|password) (\S+)$", administrator.read_text(), re.MULTILINE
        )
        assert password not in process.printed
        [management] = re.findall(r"RabbitMQ UI +(http://\S+)", process.printed)
        async with ManagementApi(management, username=user, password=password) as api:
            await eventually(lambda: each_has_the_user_that_it_needs(api), timeout=60)
        async with client(url) as http:
            answer = await http.post(
                "/tasks/submit",
                json={
                    "task_data": {"model": "llama2", "prompt": "test prompt"},
                    "priority": "normal",
                },
            )
            task_id = answer.json()["task_id"]
            await eventually(lambda: is_completed(http, task_id), timeout=60)
        await is_healthy(tmp_path)
        process.signal(signal.SIGINT)
        assert await process.wait(within=60) == 0
        assert "Traceback" not in process.printed
    await eventually(lambda: not processes_of(tmp_path), timeout=10)

    async with up(tmp_path, port, "--no-agents") as process:
        await process.prints(READY)
        async with client(url) as http:
            task = (await get(http, f"/tasks/{task_id}"))["task"]
            assert task["state"] == "completed"
            assert (await get(http, "/tasks/status"))["stats"]["tasks_completed"] == 1


@pytest.mark.slow
async def test_the_line_that_it_prints_gives_an_agent_of_ones_own_a_user_and_no_screen_a_password(
    tmp_path: Path,
) -> None:
    """As a reader follows it: the line, what that prints, and the agent; in a shell without settings."""
    port = free_port()
    (tmp_path / "my_agent.py").write_text(MY_AGENT)
    async with up(tmp_path, port, "--agents", "1") as process:
        await process.prints(TOLD)
        [line] = re.findall(r"for agents +(.+)$", process.printed, re.MULTILINE)
        assert "@" not in process.printed
        line = line.replace("ID", "shouter").replace("FILE", "my.url")
        script = "\n".join(
            [
                f'lines="$({line} --capability shouting)"',
                'echo "$lines"',
                'eval "$(echo "$lines" | grep ^export)"',
                f"exec {sys.executable} -m consumers my_agent.py:agent",
            ]
        )
        environment = {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path / "cache")}
        async with (
            spawned(
                *("sh", "-euc", script),
                folder=tmp_path,
                output=tmp_path / "agent.out",
                environment=environment,
            ) as agent,
            client(f"http://127.0.0.1:{port}") as http,
        ):
            body = {"task_data": {"task_type": "shout", "text": "it works"}}
            task_id = (await http.post("/tasks/submit", json=body)).json()["task_id"]
            await eventually(lambda: is_completed(http, task_id), timeout=60)
            task = (await get(http, f"/tasks/{task_id}"))["task"]
            assert (task["agent_id"], task["result"]) == ("shouter", "IT WORKS")
            assert "@" not in agent.printed


MY_AGENT = """
from consumers import Agent

agent = Agent("shouter", capabilities=["shouting"])


@agent.task("shout")
async def shout(task):
    return task.data["text"].upper()
"""


async def is_completed(http: httpx.AsyncClient, task_id: str) -> bool:
    return bool((await get(http, f"/tasks/{task_id}"))["task"]["state"] == "completed")


@pytest.mark.slow
async def test_when_its_rabbitmq_is_killed_it_starts_it_again_and_goes_on(tmp_path: Path) -> None:
    port = free_port()
    async with (
        up(tmp_path, port, "--agents", "4") as process,
        client(f"http://127.0.0.1:{port}") as http,
    ):
        await process.prints(READY)
        broker = next(one for one in processes_of(tmp_path) if "beam" in one)
        os.kill(int(broker.split()[0]), signal.SIGKILL)
        await process.prints(re.compile("RabbitMQ node is back"))
        accepted: list[str] = []

        async def taken() -> bool:
            answer = await http.post("/tasks/submit", json={"task_data": {"prompt": "again"}})
            assert answer.status_code in (200, 503), answer.text
            if answer.status_code == 200:
                accepted.append(answer.json()["task_id"])
            return bool(accepted)

        await eventually(taken, timeout=60)
        await eventually(lambda: is_completed(http, accepted[0]), timeout=60)
    await eventually(lambda: not processes_of(tmp_path), timeout=60)


async def test_killed_outright_it_leaves_no_process_and_starts_again(tmp_path: Path) -> None:
    port = free_port()
    async with up(tmp_path, port, "--agents", "1") as process:
        await process.prints(READY)
        process.signal(signal.SIGKILL)
        await process.wait()
    await eventually(lambda: not processes_of(tmp_path), timeout=60)
    async with up(tmp_path, port, "--no-agents") as process:
        await process.prints(READY)


async def test_a_taken_port_is_one_line_that_names_the_fix(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with up(tmp_path, port) as process:
            assert await process.wait() == 1
            lines = process.printed.strip().splitlines()
    assert len(lines) == 1
    assert f"Port {port} is taken" in lines[0]
    assert "--port" in lines[0]


@pytest.mark.parametrize(
    ("arguments", "environment", "sentence"),
    [
        (["serve"], {}, "coordinator up"),
        (["serve"], {"COORDINATOR_HTTP_PORT": "high"}, "COORDINATOR_HTTP_PORT=high is not valid"),
        (["serve", "--amqp-url", "http://x"], {}, "amqp://"),
        (["up", "--amqp-url", "amqp://a:b@127.0.0.1:1/", "--new-broker"], {}, "upgrades.md"),
    ],
)
async def test_an_operators_mistake_is_one_line(
    arguments: list[str], environment: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "coordinator", *arguments]
    async with spawned(*command, output=tmp_path / "out", environment=environment) as process:
        assert await process.wait() == 1
        lines = process.printed.strip().splitlines()
    assert len(lines) == 1, lines
    assert sentence in lines[0]


async def test_the_wrong_password_is_one_line(broker_url: str, tmp_path: Path) -> None:
    wrong = re.sub(r"://([^:]+):[^@]+@", r"://\1:wrong@", broker_url)
    command = [sys.executable, "-m", "coordinator", "serve", "--port", "0", "--amqp-url", wrong]
    command += ["--data-dir", str(tmp_path)]
    async with spawned(*command, output=tmp_path / "out") as process:
        assert await process.wait() == 1
        lines = [
            line for line in process.printed.splitlines() if not re.match(r"\d\d:\d\d:\d\d", line)
        ]
    assert lines == [
        "coordinator: The broker refuses this user or password: check them in the AMQP URL"
    ]


async def test_help_tells_what_there_is() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "coordinator", "--help", cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0
    for word in (b"up", b"serve", b"demo"):
        assert word in printed


def as_objects(printed: str) -> list[dict[str, Any]]:
    """Each line must be one."""
    lines = [json.loads(line) for line in printed.splitlines()]
    assert lines
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    return lines


@pytest.mark.slow
async def test_every_line_is_an_object_where_the_environment_says_so_its_childrens_included(
    tmp_path: Path,
) -> None:
    """With a process for the projector, example agents, a broker that is killed, and a bad request."""
    port = free_port()
    told = {"COORDINATOR_LOG_FORMAT": "json", "COORDINATOR_PROJECTOR": "own"}
    async with (
        up(tmp_path, port, "--agents", "2", environment=told) as process,
        client(f"http://127.0.0.1:{port}") as http,
    ):
        await process.prints(re.compile("ready after"))
        body = {"task_data": {"model": "llama2", "prompt": "test prompt"}}
        task_id = (await http.post("/tasks/submit", json=body)).json()["task_id"]
        await eventually(lambda: is_completed(http, task_id), timeout=60)
        assert (await http.post("/tasks/submit", content=b"{")).status_code == 422
        broker = next(one for one in processes_of(tmp_path) if "beam" in one)
        os.kill(int(broker.split()[0]), signal.SIGKILL)
        await process.prints(re.compile("RabbitMQ node is back"))
        process.signal(signal.SIGINT)
        assert await process.wait(within=60) == 0
    lines = as_objects(process.printed)
    (ended,) = [line for line in lines if line.get("task_id") == task_id and "outcome" in line]
    assert ended["outcome"] == "completed"
    agents = list((tmp_path / "logs").glob("*.log"))
    assert len(agents) == 2
    for log in agents:
        as_objects(log.read_text())
