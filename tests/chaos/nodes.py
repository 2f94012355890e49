"""The broker's nodes, as faults see them: killed and started again, suspended and resumed, and restarted as
an operator does where the nodes of a cluster disagree.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx

from tests.support.broker import Node
from tests.support.management import ManagementApi
from tests.support.waiting import eventually

__all__ = ["Nodes"]

APART, WHOLE = "apart", "whole"


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

    async def reconcile(self, number: int) -> bool:
        """Return when each node of the cluster sees the others. Where they stay apart, which no node ends by
        itself, the one of this number is started again: docs/operations/trouble.md. Whether they did.
        """
        if len(self) == 1 or await eventually(self._apart_or_whole, timeout=120) == WHOLE:
            return False
        self._away.add(number)
        await self._nodes[number].stop()
        await self.start(number)
        await eventually(self._is_whole, timeout=120)
        return True

    async def _is_whole(self) -> bool:
        return await self._apart_or_whole() == WHOLE

    async def _apart_or_whole(self) -> str | None:
        """None while a node is on its way back."""
        try:
            views = await asyncio.gather(*(_rows(node) for node in self._nodes))
        except httpx.HTTPError:
            return None
        rows = [row for view in views for row in view]
        if any(row.get("partitions") for row in rows):
            return APART
        return WHOLE if all(row["running"] for row in rows) else None


async def _rows(node: Node) -> list[dict[str, Any]]:
    """The nodes of the cluster, as this one sees them."""
    async with ManagementApi(
        node.management_url, username=node.username, password=node.password
    ) as management:
        rows: list[dict[str, Any]] = await management.get("nodes")
        return rows
