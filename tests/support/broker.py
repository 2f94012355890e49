"""A broker as a test sees it, and the nodes behind it."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlsplit, urlunsplit

import aiormq

from coordinator.rabbitmq_node.embedded_node import EmbeddedNode
from coordinator.rabbitmq_node.installed_server import InstalledServer
from coordinator.rabbitmq_node.node_files import NodeFiles
from coordinator.rabbitmq_node.node_identity import Identity, Ports
from coordinator.rabbitmq_node.server_launch import MOUNT_POINT

from .management import ManagementApi
from .sources import BrokerSource

__all__ = ["Broker", "LocalNode", "Node", "OwnBroker", "own_node"]

STATISTICS_EVERY = 1000
"""Milliseconds between two accounts that a node of the tests gives to its management API; 5000 is usual.
Whoever asks there for what has just changed waits for one."""


class Node(Protocol):
    """A RabbitMQ server of the tests' own."""

    @property
    def amqp_url(self) -> str: ...
    @property
    def management_url(self) -> str: ...
    @property
    def username(self) -> str: ...
    @property
    def password(self) -> str: ...
    @property
    def version(self) -> str: ...

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def kill(self) -> None:
        """End it without warning, as a crash would; `start` starts it again."""

    async def suspend(self) -> None:
        """Let it hang: connections stay open and nothing answers."""

    async def resume(self) -> None: ...
    async def ctl(self, *words: str) -> str:
        """Run `rabbitmqctl` on it; what it printed."""


class Broker:
    """A virtual host of the test's own."""

    def __init__(
        self, amqp_url: str, management: ManagementApi, *, vhost: str, name: str, version: str
    ) -> None:
        self.url = urlunsplit(urlsplit(amqp_url)._replace(path="/" + quote(vhost, safe="")))
        self.vhost = vhost
        self.name = name
        """The test's name: for connections, so that they can be told apart."""
        self.version = version
        """Of the server, such as `3.10.8`."""
        self.management = management

    @property
    def major(self) -> tuple[int, int]:
        """The version as numbers, such as (3, 10)."""
        first, second, *_ = self.version.split(".")
        return int(first), int(second)

    async def depth(self, queue: str) -> int:
        """Ready messages, as the queue itself counts them."""
        async with _channel(self.url) as channel:
            ok = await channel.queue_declare(queue, passive=True)
            return ok.message_count or 0

    async def consumers(self, queue: str) -> int:
        async with _channel(self.url) as channel:
            ok = await channel.queue_declare(queue, passive=True)
            return ok.consumer_count or 0

    async def queues(self) -> list[str]:
        """The names of all queues, sorted."""
        return sorted(queue["name"] for queue in await self.management.get("queues", self.vhost))

    async def delete_queue(self, queue: str) -> None:
        """As an operator does by hand, whatever is in it."""
        await self.management.delete("queues", self.vhost, queue)

    async def connections(self) -> list[str]:
        """The names that clients gave their connections, sorted; up to a second old on the tests' nodes."""
        found = await self.management.get("vhosts", self.vhost, "connections")
        return sorted(one.get("user_provided_name") or one["name"] for one in found)

    async def close_connections(self, named: str | None = None) -> int:
        """As an operator does in the management UI: all, or those that a client gave this name; how
        many it were. The list is up to a second old, on a node of the tests.
        """
        found = await self.management.get("vhosts", self.vhost, "connections")
        chosen = [one for one in found if named in (None, one.get("user_provided_name"))]
        for one in chosen:
            await self.management.delete("connections", one["name"])
        return len(chosen)


class OwnBroker(Broker):
    """A node of the test's own, which it may stop, kill and suspend."""

    def __init__(self, node: Node, management: ManagementApi, *, name: str) -> None:
        super().__init__(node.amqp_url, management, vhost="/", name=name, version=node.version)
        self.node = node

    async def start(self) -> None:
        """At the same address and with its data."""
        await self.node.start()
        if self.node.amqp_url not in {self.url, self.url.removesuffix("/%2F")}:
            raise AssertionError(f"the broker came back at {self.node.amqp_url}, not {self.url}")

    async def stop(self) -> None:
        await self.node.stop()

    async def kill(self) -> None:
        """End it without warning, as a crash would; `start` starts it again."""
        await self.node.kill()

    async def suspend(self) -> None:
        """Let it hang: connections stay open and nothing answers."""
        await self.node.suspend()

    async def resume(self) -> None:
        await self.node.resume()

    async def ctl(self, *words: str) -> str:
        """Run `rabbitmqctl` on it; what it printed."""
        return await self.node.ctl(*words)


class ConfiguredFiles(NodeFiles):
    """With lines of the test's own at the end of rabbitmq.conf, and more plugins."""

    def __init__(
        self, folder: Path, settings: Mapping[str, object], plugins: Sequence[str] = ()
    ) -> None:
        super().__init__(folder)
        self._settings = settings
        self._plugins = plugins

    def write(self, identity: Identity, ports: Ports, *, listen_on: str) -> None:
        super().write(identity, ports, listen_on=listen_on)
        with (self.folder / "rabbitmq.conf").open("a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in self._settings.items())
        enabled = ",".join(("rabbitmq_management", *self._plugins))
        (self.folder / "enabled_plugins").write_text(f"[{enabled}].\n")


class LocalNode(EmbeddedNode):
    """A private node that a test may treat badly. ``settings`` are for rabbitmq.conf; ``plugins`` are
    enabled beside the management API.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        settings: Mapping[str, object] | None = None,
        plugins: Sequence[str] = (),
        **options: Any,
    ) -> None:
        super().__init__(data_dir, **options)
        self._files = ConfiguredFiles(data_dir, settings or {}, plugins)

    async def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        await self.stop()

    async def suspend(self) -> None:
        """Returns when all its threads have stopped: one that runs goes on for a while after the signal."""
        os.kill(self.pid, signal.SIGSTOP)
        await asyncio.to_thread(os.waitid, os.P_PID, self.pid, os.WSTOPPED | os.WNOWAIT)

    async def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    async def ctl(self, *words: str) -> str:
        server = self._server
        assert isinstance(server, InstalledServer)
        folder = self._files.folder
        command = [str(server.script.with_name("rabbitmqctl")), *words]
        if server.root is not None:
            steps = (
                f"mount --bind {shlex.quote(str(folder))} {server.root}{MOUNT_POINT}",
                f"exec chroot {server.root} {shlex.join(command)}",
            )
            command = ["unshare", "--mount", "sh", "-ec", "\n".join(steps)]
        process = await asyncio.create_subprocess_exec(
            *command,
            env=server.server(folder, self._ports).env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        printed = (await process.communicate())[0].decode()
        assert process.returncode == 0, printed
        return printed


def own_node(
    source: BrokerSource, data_dir: Path, settings: Mapping[str, object] | None = None
) -> Node:
    """A new node, not started yet, on ports that no one else expects anything at; ``settings`` are of
    RabbitMQ's application `rabbit`, by the names that rabbitmq.conf has for them.
    """
    settings = {"collect_statistics_interval": STATISTICS_EVERY} | dict(settings or {})
    if source.image is not None:
        from .containers import ContainerNode  # needs Docker's client

        return ContainerNode(source.image, settings)
    return LocalNode(data_dir, settings=settings, server=source.server, standard_ports=False)


@asynccontextmanager
async def _channel(url: str) -> AsyncIterator[aiormq.abc.AbstractChannel]:
    connection = await aiormq.connect(url)
    try:
        yield await connection.channel()
    finally:
        await connection.close()
