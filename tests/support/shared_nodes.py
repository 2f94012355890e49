"""The nodes that all tests share: where they are, and how several processes of tests share them.

Alone, pytest starts them when the first test asks for one. With `pytest -n` they are started once,
by the process that hands the tests out, which tells its workers where they are.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from .broker import Node

__all__ = ["NodeAddress", "NodesBeside"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeAddress:
    """Where a running node is, and who may log in."""

    amqp_url: str
    management_url: str
    username: str
    password: str
    version: str

    @classmethod
    def of(cls, node: Node) -> Self:
        return cls(
            amqp_url=node.amqp_url,
            management_url=node.management_url,
            username=node.username,
            password=node.password,
            version=node.version,
        )


class NodesBeside:
    """Nodes for a program that has no event loop of its own: theirs runs in a thread, which lasts as
    long as they do."""

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self._nodes = nodes
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="nodes", daemon=True)

    def start(self) -> dict[str, dict[str, str]]:
        """Their addresses by label, as fields that can be sent to another process."""
        self._thread.start()
        self._run(_all(node.start() for node in self._nodes.values()))
        return {label: asdict(NodeAddress.of(node)) for label, node in self._nodes.items()}

    def stop(self) -> None:
        self._run(_all(node.stop() for node in self._nodes.values()))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()


async def _all(works: Any) -> None:
    await asyncio.gather(*works)
