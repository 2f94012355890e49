"""One task that requests act on, with a broker and a ledger of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from coordinator.domain.announced_types import AnnouncedTypes
from coordinator.domain.dead_filter import DeadFilter
from coordinator.domain.task import Task
from coordinator.errors import (
    BrokerUnavailable,
    LedgerUnavailable,
    MessageTooLarge,
)
from coordinator.protocol.message import Message
from coordinator.protocol.messages.events import Event
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.topology import LOG
from coordinator.recovery.questions.question_answerer import QuestionAnswerer
from coordinator.recovery.questions.schema_check import SchemaCheck
from coordinator.recovery.task_canceller import TaskCanceller
from coordinator.recovery.task_redriver import TaskRedriver
from tests.unit.domain.histories import (
    at,
    folded,
    message,
)

SECRET = b"s" * 32

LIMIT = 2000
"""Bytes that the broker takes in one message."""

T = TypeVar("T")


class World:
    """The rest of a coordinator: one task, dead ones, and a broker."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.content = message(timeout_seconds=7, expires_at=at(60))
        self.meanwhile: list[Event] = []
        """Folded before what is published, and known once the ledger has caught up."""
        self.behind: Exception | None = None
        self.sent: list[str] = []
        """What was published in its turn."""
        self.given_back: list[str] = []
        self.ledger_away = False
        self.refuse_after: int | None = None
        self.dead: list[tuple[Task, TaskMessage]] = []
        self.anothers: set[str] = set()
        """Dead tasks that somebody else redrives at this moment."""
        self.published: list[TaskMessage] = []
        self.withdrawn: list[tuple[str, int]] = []
        self.canceller = TaskCanceller(
            find=self.find,
            turns=self,
            settle=self._catch_up,
            publisher=self,
            outbox=self,
            note=self._note_event,
        )
        self.answerer = QuestionAnswerer(
            find=self.find,
            turns=self,
            settle=self._catch_up,
            publisher=self,
            check_schema=SchemaCheck(),
            note=self._note_event,
        )
        self.redriver = TaskRedriver(
            turns=self,
            dead=self,
            publisher=self,
            secret=SECRET,
            types=AnnouncedTypes(),
            note=lambda _: None,
            now=lambda: at(100),
        )

    async def find(self, task_id: str) -> tuple[Task, TaskMessage]:
        assert task_id == "t"
        return self.task, self.content

    async def publish(self, message: Message, **where: Any) -> None:
        if message.type != "task":
            return
        if self.refuse_after is not None and len(self.published) >= self.refuse_after:
            raise BrokerUnavailable
        assert where == {"exchange": "", "key": LOG, "mandatory": True}
        if len(message.body) > LIMIT:
            raise MessageTooLarge(len(message.body), LIMIT)
        self.published.append(TaskMessage.from_message(message))

    async def take(self, task_id: str, decide: Callable[[Task, TaskMessage], tuple[str, T]]) -> T:
        return decide(*await self.find(task_id))[1]

    @asynccontextmanager
    async def sending(self, event_id: str) -> AsyncIterator[None]:
        try:
            yield
        except (BrokerUnavailable, MessageTooLarge):
            self.given_back.append(event_id)
            raise
        self.sent.append(event_id)

    async def take_dead(
        self,
        _: DeadFilter,
        *,
        after: Task | None,
        most: int,
        event_id: Callable[[Task], str],
    ) -> tuple[Task | None, list[tuple[Task, TaskMessage]]]:
        start = 0 if after is None else [task for task, _ in self.dead].index(after) + 1
        found = self.dead[start : start + most]
        mine = [(task, content) for task, content in found if task.task_id not in self.anothers]
        assert all(event_id(task) == f"{task.task_id}.2.1.scheduled" for task, _ in mine)
        return (found[-1][0] if found else None), mine

    def _note_event(self, event: Event) -> None:
        self.noted = event
        if self.behind is not None:
            self.task = folded(event, onto=self.task)

    async def _catch_up(self) -> None:
        if self.behind is not None:
            raise self.behind
        self.task = folded(*self.meanwhile, self.noted, onto=self.task)

    async def withdraw(self, task_id: str, generation: int) -> None:
        if self.ledger_away:
            raise LedgerUnavailable
        self.withdrawn.append((task_id, generation))

    async def count(self, _: DeadFilter) -> int:
        return len(self.dead)
