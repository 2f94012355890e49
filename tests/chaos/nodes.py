"""The broker's nodes, as faults see them: killed and started again, suspended and resumed."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit, urlunsplit

from tests.support.broker import Node

__all__ = ["Nodes"]


class Nodes:
    """One node, or a cluster, and which of them are away."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = nodes
        self._away: set[int] = set()

    def __len__(self) -> int:
        return len(self._nodes)

    @property
    def version(self) -> str:
        return self._nodes[0].version

    @property
    def first(self) -> Node:
        return self._nodes[0]

    def ports(self) -> list[int]:
        """Where AMQP is answered at this moment, as a load balancer knows it from its checks. A node
        that is alone is all that there is, also while it hangs."""
        up = [node for number, node in enumerate(self._nodes) if number not in self._away]
        ports = [urlsplit(node.amqp_url).port for node in up or self._nodes]
        return [port for port in ports if port is not None]

    def url_at(self, port: int) -> str:
        """The broker's address where it is reached through this port of 127.0.0.1."""
        parts = urlsplit(self.first.amqp_url)
        login = parts.netloc.rpartition("@")[0]
        return urlunsplit(parts._replace(netloc=f"{login}@127.0.0.1:{port}"))

    async def kill(self, number: int) -> None:
        self._away.add(number)
        await self._nodes[number].kill()

    async def start(self, number: int) -> None:
        await self._nodes[number].start()
        self._away.discard(number)

    async def suspend(self, number: int) -> None:
        await self._nodes[number].suspend()
        self._away.add(number)

    async def resume(self, number: int) -> None:
        await self._nodes[number].resume()
        self._away.discard(number)
