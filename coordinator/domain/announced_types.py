"""Records which task types agents have announced, and so which have lanes of their own. No I/O.

    nobody has announced it ──heard──▶ fresh ──what waits was moved──▶ settled
    its tasks are on the lane                                          its tasks are on the
    of their other requirements                                        lane of the type

A typing error in a `task_type` opens no queue: its tasks wait where agents with a default handler take
them. What was announced once stays so, though the agent may be gone: its tasks wait for the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.requirements import ANY_TYPE, Requirements

__all__ = ["AnnouncedTypes"]


class AnnouncedTypes:
    """``settled`` are those that the ledger knew when the process started."""

    def __init__(self, settled: Iterable[str] = ()) -> None:
        self._settled = set(settled) - {ANY_TYPE}
        self._fresh: set[str] = set()
        self._heard = asyncio.Event()

    def __contains__(self, task_type: object) -> bool:
        """Whether an agent has announced it, settled or fresh."""
        return task_type in self._settled or task_type in self._fresh

    def hear(self, task_types: Iterable[str] | None) -> None:
        """An agent has announced these; None where it has announced none."""
        new = set(task_types or ()) - self._settled - self._fresh - {ANY_TYPE}
        if new:
            self._fresh |= new
            self._heard.set()

    @property
    def fresh(self) -> frozenset[str]:
        """Announced, while their tasks still go to the lane of their other requirements."""
        return frozenset(self._fresh)

    @property
    def all(self) -> frozenset[str]:
        """Settled and fresh."""
        return frozenset(self._settled | self._fresh)

    async def any_fresh(self) -> None:
        """Wait until one is fresh."""
        while not self._fresh:
            self._heard.clear()
            await self._heard.wait()

    def settle(self, task_types: Iterable[str]) -> None:
        """From now on tasks of these types go to lanes of their own."""
        self._settled.update(task_types)
        self._fresh.difference_update(task_types)

    def routed(self, wanted: Requirements, task_type: str | None) -> Requirements:
        """What a task asks of an agent: ``wanted``, and its type where that is settled."""
        settled = task_type if task_type in self._settled else None
        return wanted if wanted.task_type == settled else _of_type(wanted, settled)

    def route(self, message: TaskMessage) -> TaskMessage:
        """``message`` with the requirements, and so on the lane, that it has now."""
        before = message.wanted
        wanted = self.routed(before, message.task_type)
        if wanted == before:
            return message
        return message.model_copy(update={"requirements": wanted.as_dict()})


@lru_cache(maxsize=1024)
def _of_type(wanted: Requirements, task_type: str | None) -> Requirements:
    """Kept, because many tasks are alike; there are as many as lanes."""
    return replace(wanted, task_type=task_type)
