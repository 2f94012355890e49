"""A cluster of three RabbitMQ nodes on loopback, made of the server that a test's broker comes from.

Each is a private node with a folder of its own; what makes them a cluster is their environment: names
of their own, one cookie, one epmd that outlives them all, and the list of each other.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from coordinator.rabbitmq_node.child_process import spawn
from coordinator.rabbitmq_node.installed_server import InstalledServer
from coordinator.rabbitmq_node.node_identity import Ports
from coordinator.rabbitmq_node.server_launch import Launch
from tests.chaos.nodes import Nodes
from tests.support.broker import LocalNode
from tests.support.management import ManagementApi
from tests.support.ports import free_port
from tests.support.waiting import eventually

__all__ = ["cluster"]

NAMES = ("one@localhost", "two@localhost", "three@localhost")

NET_TICKTIME = 8
"""Seconds after which a node that is silent is taken for gone; by default 60. The queues elect another
leader within six seconds whatever this says; the rest of the broker waits for it."""

ADVANCED = """
[{{rabbit, [{{cluster_nodes, {{[{names}], disc}}}},
           {{cluster_partition_handling, pause_minority}}]}}].
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """A way to run one node of the cluster; see `coordinator.rabbitmq_node.installed_server.Server`."""

    binaries: InstalledServer
    name: str
    epmd_port: int

    @property
    def listens_on(self) -> str:
        return self.binaries.listens_on

    def server(self, folder: Path, ports: Ports) -> Launch:
        launch = self.binaries.server(folder, replace(ports, epmd=self.epmd_port))
        env = dict(launch.env, RABBITMQ_NODENAME=self.name)
        env["RABBITMQ_ADVANCED_CONFIG_FILE"] += ".config"
        env["RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"] += f" -kernel net_ticktime {NET_TICKTIME}"
        return replace(launch, env=env)

    def epmd(self, _folder: Path, _ports: Ports) -> None:
        """It is the cluster's, and there already."""


@asynccontextmanager
async def cluster(binaries: InstalledServer, folder: Path) -> AsyncIterator[Nodes]:
    """Yields when each node knows the other two."""
    epmd_port = free_port()
    homes = _lay_out(folder)
    nodes = [
        LocalNode(
            homes[name],
            server=_Member(binaries=binaries, name=name, epmd_port=epmd_port),
            standard_ports=False,
        )
        for name in NAMES
    ]
    async with AsyncExitStack() as stack:
        await _start_epmd(stack, binaries, folder, epmd_port)
        for node in nodes:
            stack.push_async_callback(node.stop)
        await asyncio.gather(
            *(node.start() for node in nodes)
        )  # from 4.0 on, each waits for others
        await _formed(nodes[0])
        yield Nodes(nodes)


async def _start_epmd(
    stack: AsyncExitStack, binaries: InstalledServer, folder: Path, port: int
) -> None:
    launch = binaries.epmd(folder, Ports(amqp=0, management=0, distribution=0, epmd=port))
    process = await spawn(launch.command, env=launch.env, output=folder / "epmd.out")

    async def end() -> None:
        process.kill()
        await process.wait()

    stack.push_async_callback(end)


def _lay_out(folder: Path) -> dict[str, Path]:
    """A folder for each node, with what they have in common, before any of them makes its own."""
    login = json.dumps({"username": "coordinator", "password": secrets.token_urlsafe(18)})
    cookie = secrets.token_hex(12).upper()
    names = ", ".join(f"'{name}'" for name in NAMES)
    homes = {name: folder / name.partition("@")[0] for name in NAMES}
    for home in homes.values():
        (home / "home").mkdir(parents=True)
        (home / "identity.json").write_text(login)
        (home / "advanced.config").write_text(ADVANCED.format(names=names))
        file = home / "home" / ".erlang.cookie"
        file.write_text(cookie)
        file.chmod(0o400)
    return homes


async def _formed(node: LocalNode) -> None:
    async with ManagementApi(
        node.management_url, username=node.username, password=node.password
    ) as management:

        async def complete() -> bool:
            known = await management.get("nodes")
            return sorted(one["name"] for one in known if one["running"]) == sorted(NAMES)

        await eventually(complete, timeout=120)
