"""nginx, as `deploy/nginx` sets it up, before two coordinators."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import trustme
from websockets.asyncio.client import connect

from coordinator.rabbitmq_node.free_ports import choose_port
from tests.e2e.processes import Process, client, ready, service, spawned
from tests.e2e.steady_producers import SteadyProducers
from tests.support.broker import Broker
from tests.support.certificates import issued
from tests.support.tools import tool
from tests.support.waiting import eventually

SITE = Path(__file__).resolve().parents[2] / "deploy" / "nginx" / "agent-coordinator.conf"
NAME = "agents.example.org"
COORDINATOR = {
    "COORDINATOR_TRUSTED_PROXIES": "127.0.0.1",
    "COORDINATOR_ALLOWED_HOSTS": NAME,
    "COORDINATOR_DRAIN_SECONDS": "5",
}
AROUND = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr notice;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


@contextlib.asynccontextmanager
async def nginx(folder: Path, ports: tuple[int, int]) -> AsyncIterator[tuple[str, ssl.SSLContext]]:
    """The address of the site, and what trusts its certificate. Only addresses and files are others."""
    ca = trustme.CA()
    files = issued(ca, folder / "tls", NAME, "127.0.0.1")
    port = choose_port([], taken=set(ports))
    site = SITE.read_text()
    for shipped, here in {
        "127.0.0.1:9001": f"127.0.0.1:{ports[0]}",
        "127.0.0.1:9002": f"127.0.0.1:{ports[1]}",
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "/etc/ssl/agents.example.org/fullchain.pem": str(files.certificate),
        "/etc/ssl/agents.example.org/privkey.pem": str(files.key),
    }.items():
        assert site.count(shipped) == 1, shipped
        site = site.replace(shipped, here)
    (folder / "site.conf").write_text(site)
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder))
    trusting = ssl.create_default_context()
    ca.configure_trust(trusting)
    command = [tool("nginx", package="nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf")]
    base_url = f"https://127.0.0.1:{port}"
    async with spawned(*command, output=folder / "nginx.out") as process:

        async def answers() -> bool:
            if process.ended:
                raise AssertionError(process.printed)
            async with httpx.AsyncClient(verify=trusting, trust_env=False) as http:
                try:
                    return (await http.get(f"{base_url}/health/live")).status_code == 200
                except httpx.TransportError:
                    return False

        await eventually(answers, timeout=60)
        yield base_url, trusting


@pytest.fixture
def ports() -> tuple[int, int]:
    taken: set[int] = set()
    return choose_port([], taken=taken), choose_port([], taken=taken)


@contextlib.asynccontextmanager
async def coordinator(
    broker: Broker, folder: Path, port: int, *options: str
) -> AsyncIterator[Process]:
    started = service(broker.url, folder, port=port, environment=COORDINATOR, options=options)
    async with started as (process, url):
        async with client(url) as http:
            await ready(http)
        yield process


@pytest.mark.parametrize("options", [(), ("--workers", "2")], ids=["alone", "workers"])
async def test_two_coordinators_behind_nginx_are_replaced_without_a_refused_request(
    broker: Broker, tmp_path: Path, ports: tuple[int, int], options: tuple[str, ...]
) -> None:
    folder = tmp_path / "data"
    async with contextlib.AsyncExitStack() as stack:
        running = [
            await stack.enter_async_context(coordinator(broker, folder, port, *options))
            for port in ports
        ]
        base_url, trusting = await stack.enter_async_context(nginx(tmp_path / "nginx", ports))
        producers = SteadyProducers(base_url, trusting)
        async with producers.submitting():
            for process, port in zip(running, ports, strict=True):
                await producers.more()
                process.signal(signal.SIGTERM)
                assert await process.wait() == 0
                await producers.more()
                await stack.enter_async_context(coordinator(broker, folder, port, *options))
            await producers.more()
        assert producers.refused == []
        await producers.all_known()


async def test_streams_pass_nginx_as_they_come_and_other_names_are_refused(
    broker: Broker, tmp_path: Path, ports: tuple[int, int]
) -> None:
    async with (
        coordinator(broker, tmp_path / "data", ports[0]),
        nginx(tmp_path / "nginx", ports) as (base_url, trusting),
        httpx.AsyncClient(base_url=base_url, verify=trusting, trust_env=False) as http,
        http.stream("GET", "/events") as events,
        connect(f"wss{base_url.removeprefix('https')}/ws", ssl=trusting) as socket,
    ):
        greeting = json.loads(await socket.recv())
        assert greeting["type"] == "connection_established"
        await socket.send(json.dumps({"type": "subscribe", "payload": {"topic": "tasks"}}))
        answer = await http.post("/tasks/submit", json={"task_data": {"task_id": "through"}})
        assert answer.status_code == 200
        async with asyncio.timeout(30):
            async for line in events.aiter_lines():
                if line.startswith("data: ") and "through" in line:
                    break
            while "through" not in str(await socket.recv()):
                pass
        named = await http.get("/health", headers={"Host": NAME})
        assert named.status_code == 200
        other = await http.get("/health", headers={"Host": "elsewhere.example.org"})
        assert other.status_code == 421
