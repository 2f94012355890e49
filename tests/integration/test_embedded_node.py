"""The private RabbitMQ node: real servers, started and stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiormq
import pytest

from coordinator.errors import OperatorError
from coordinator.rabbitmq_node.embedded_node import EmbeddedNode, NodeState
from coordinator.rabbitmq_node.free_ports import choose_port
from coordinator.rabbitmq_node.installed_server import InstalledServer
from coordinator.rabbitmq_node.node_files import NodeFiles
from coordinator.rabbitmq_node.node_identity import Ports
from coordinator.rabbitmq_node.server_launch import Launch
from tests.support.sources import BrokerSource
from tests.support.waiting import eventually


@pytest.fixture
def server(broker_source: BrokerSource) -> InstalledServer:
    if broker_source.server is None:
        pytest.skip("these tests start servers that are installed on this machine")
    return broker_source.server


def node(data_dir: Path, server: InstalledServer, **options: Any) -> EmbeddedNode:
    return EmbeddedNode(data_dir, server=server, standard_ports=False, **options)


@asynccontextmanager
async def channel(url: str) -> AsyncIterator[aiormq.abc.AbstractChannel]:
    connection = await aiormq.connect(url)
    try:
        yield await connection.channel()
    finally:
        await connection.close()


async def put_message(url: str, queue: str) -> None:
    async with channel(url) as opened:
        await opened.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
        await opened.basic_publish(b"kept", routing_key=queue)


async def take_message(url: str, queue: str) -> bytes:
    async with channel(url) as opened:
        return bytes((await opened.basic_get(queue)).body)


async def guest_is_refused(private: EmbeddedNode) -> None:
    port = private.amqp_url.rpartition(":")[2]
    with pytest.raises(aiormq.exceptions.AMQPError):
        async with channel(f"amqp://guest:guest@127.0.0.1:{port}"):
            pass


async def failure(private: EmbeddedNode) -> str:
    with pytest.raises(OperatorError) as failed:
        await private.start()
    return str(failed.value)


def folder_in_use_is_refused_in_one_line(refusal: str, data_dir: Path) -> None:
    assert f"The data folder {data_dir} is in use" in refusal
    assert "\n" not in refusal


def queue_is_on_disk(data_dir: Path, queue: str) -> bool:
    """RabbitMQ writes the list of its quorum queues down a second after a change: one that was
    declared since then does not survive a kill, whatever it confirmed."""
    (names,) = (data_dir / "mnesia").glob("*/quorum/*/names.dets")
    return queue.encode() in names.read_bytes()


def processes_of(data_dir: Path) -> list[str]:
    """What runs with this folder in its command line or environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            if (
                str(data_dir).encode() in words
                and "Z (zombie)" not in (entry / "status").read_text()
            ):
                found.append(f"{entry.name} {(entry / 'comm').read_text().strip()}")
        except OSError:
            continue
    return found


@pytest.mark.slow
async def test_a_node_stops_whole_and_its_second_start_goes_on_where_it_was(
    server: InstalledServer, tmp_path: Path
) -> None:
    said: list[str] = []
    private = EmbeddedNode(tmp_path, server=server, standard_ports=False, say=said.append)
    async with private:
        assert private.state == NodeState.RUNNING.value
        assert any(private.version in line for line in said)
        url, management_url = private.amqp_url, private.management_url
        await put_message(url, "kept")
        await guest_is_refused(private)
        folder_in_use_is_refused_in_one_line(await failure(node(tmp_path, server)), tmp_path)
        for name in ("identity.json", "rabbitmq.conf", "home/.erlang.cookie"):
            assert stat.S_IMODE((tmp_path / name).stat().st_mode) & 0o077 == 0, name
    assert private.state == NodeState.STOPPED.value
    assert processes_of(tmp_path) == []
    await private.stop()  # twice is harmless

    port = int(management_url.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):  # meanwhile taken by another program
        async with node(tmp_path, server) as second:
            assert second.amqp_url == url
            assert second.management_url != management_url
            assert await take_message(second.amqp_url, "kept") == b"kept"


@pytest.mark.slow
async def test_a_killed_node_is_started_again_at_its_address_and_keeps_what_it_confirmed(
    server: InstalledServer, tmp_path: Path
) -> None:
    said: list[str] = []
    private = EmbeddedNode(tmp_path, server=server, standard_ports=False, say=said.append)
    async with private:
        url = private.amqp_url
        await put_message(url, "kept")
        await eventually(lambda: queue_is_on_disk(tmp_path, "kept"))
        keeping = asyncio.create_task(private.keep())
        os.kill(private.pid, signal.SIGKILL)
        await eventually(lambda: said[-1].endswith("is back") or keeping.done(), timeout=60)
        assert any("ended by SIGKILL" in line and str(private.log) in line for line in said)
        assert await take_message(url, "kept") == b"kept"
        os.kill(private.pid, signal.SIGSTOP)  # a suspended node can be stopped all the same
        await private.stop()
        assert not keeping.done()  # who stops it does not want it back
        keeping.cancel()
    assert processes_of(tmp_path) == []


async def test_a_node_that_ends_again_and_again_is_given_up_in_one_line(
    server: InstalledServer, tmp_path: Path
) -> None:
    async with node(tmp_path, server, many_ends=2) as private:
        keeping = asyncio.create_task(private.keep())
        first = private.pid
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: restarted(private, first), timeout=60)
        os.kill(private.pid, signal.SIGKILL)
        with pytest.raises(OperatorError, match="ends again and again") as told:
            await keeping
    assert str(private.log) in str(told.value)
    assert "\n" not in str(told.value)


def restarted(private: EmbeddedNode, first: int) -> bool:
    return private.state is NodeState.RUNNING and private.pid != first


async def test_a_start_that_is_given_up_leaves_nothing(
    server: InstalledServer, tmp_path: Path
) -> None:
    private = node(tmp_path, server)
    start = asyncio.create_task(private.start())
    await eventually(lambda: any("beam" in process for process in processes_of(tmp_path)))
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert private.state is NodeState.STOPPED
    assert processes_of(tmp_path) == []


async def test_a_port_that_is_named_and_taken_is_refused(
    server: InstalledServer, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(OperatorError, match=f"Port {port} for RabbitMQ's AMQP is taken"):
            await EmbeddedNode(tmp_path, server=server, amqp_port=port).start()


class Overtaken:
    """Has another program take one of the ports that were chosen for a start, each time another one."""

    def __init__(self, server: InstalledServer, *services: str) -> None:
        self._server = server
        self._services = list(services)
        self.taken: list[socket.socket] = []

    @property
    def listens_on(self) -> str:
        return self._server.listens_on

    def epmd(self, folder: Path, ports: Ports) -> Launch:
        if self._services:
            port = getattr(ports, self._services.pop(0))
            self.taken.append(socket.create_server(("127.0.0.1", port)))
        return self._server.epmd(folder, ports)

    def server(self, folder: Path, ports: Ports) -> Launch:
        return self._server.server(folder, ports)


async def test_a_port_that_is_taken_meanwhile_is_changed_for_another(
    server: InstalledServer, tmp_path: Path
) -> None:
    overtaken = Overtaken(server, "distribution", "epmd")
    async with EmbeddedNode(tmp_path, server=overtaken, standard_ports=False) as private:
        assert private.version
    assert len(overtaken.taken) == 2
    for listener in overtaken.taken:
        listener.close()
    assert processes_of(tmp_path) == []


async def test_a_server_that_fails_says_why_in_one_line(
    server: InstalledServer, tmp_path: Path
) -> None:
    script = tmp_path / "rabbitmq-server"
    script.write_text("#!/bin/sh\necho 'erl: no such file'; exit 1\n")
    script.chmod(0o755)
    broken = InstalledServer(
        script=script, epmd_binary=server.epmd_binary if server.root is None else script
    )
    private = node(tmp_path / "data", broken)
    with pytest.raises(OperatorError) as failed:
        await private.start()
    assert "did not start: erl: no such file" in str(failed.value)
    assert "\n" not in str(failed.value)
    assert private.state is NodeState.STOPPED


class WithoutEpmd(Overtaken):
    """Has a process for epmd that answers nobody."""

    def epmd(self, folder: Path, ports: Ports) -> Launch:
        return replace(super().epmd(folder, ports), command=["/bin/sleep", "infinity"])


async def test_where_its_epmd_is_gone_it_starts_none_that_would_stay(
    server: InstalledServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a kill of the parent, which takes epmd along and leaves the server to its start."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    private = EmbeddedNode(tmp_path / "data", server=WithoutEpmd(server), standard_ports=False)
    try:
        with pytest.raises(OperatorError):
            await private.start()
    finally:
        await private.stop()
    assert processes_of(tmp_path / "data") == []
    assert list(here.iterdir()) == []  # nor does Erlang leave its account of it here


async def test_a_server_that_is_not_there_says_so(tmp_path: Path) -> None:
    nowhere = InstalledServer(script=tmp_path / "nowhere", epmd_binary=tmp_path / "nowhere")
    with pytest.raises(OperatorError, match="nowhere"):
        await node(tmp_path, nowhere).start()


PARENT = """
import asyncio, sys
from pathlib import Path
from coordinator.rabbitmq_node.embedded_node import EmbeddedNode
from coordinator.rabbitmq_node.installed_server import find_server

async def main():
    server = find_server(Path(sys.argv[2]) if len(sys.argv) > 2 else None)
    async with EmbeddedNode(Path(sys.argv[1]), server=server, standard_ports=False):
        print("running", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux ends the children of a killed process"
)
async def test_no_process_outlives_a_parent_that_was_killed(
    server: InstalledServer, tmp_path: Path
) -> None:
    root = [str(server.root)] if server.root else []
    data_dir = tmp_path / "data"
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(data_dir), *root, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    assert await parent.stdout.readline() == b"running\n"
    assert processes_of(data_dir)
    parent.kill()
    await parent.wait()
    await eventually(lambda: not processes_of(data_dir))
    with NodeFiles(data_dir).locked():  # the folder is free again
        pass


def test_a_chosen_port_is_not_chosen_twice() -> None:
    taken: set[int] = set()
    chosen = [choose_port([23_456], taken=taken) for _ in range(20)]
    assert len(set(chosen)) == 20
