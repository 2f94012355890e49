"""Builds an application that really submits, one task or many, to a broker that takes everything."""

from __future__ import annotations

import math
from collections.abc import Collection
from functools import cache
from typing import Any

from fastapi import FastAPI

from coordinator.domain.announced_types import AnnouncedTypes
from coordinator.errors import TaskNotFound
from coordinator.protocol.message import Message
from coordinator.protocol.messages.new_task import NewTask
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.submission.batch_submitter import BatchSubmitter
from coordinator.submission.per_id_lock import PerIdLock
from coordinator.submission.submitter import Submitter
from coordinator.submission.task_maker import TaskMaker
from tests.contract.fakes import Fakes

__all__ = ["Broker", "submitting_app"]


class Broker:
    """Takes everything, and knows no task."""

    def deadline(self) -> float:
        return math.inf

    async def check_size(self, size: int) -> None: ...

    async def publish(
        self, message: Message, *, exchange: str, key: str, mandatory: bool = False
    ) -> None:
        TaskMessage.from_message(message)

    async def publish_all(self, messages: Collection[Any], *, deadline: float) -> list[None]:
        return [None] * len(messages)

    async def ensure(
        self, source: TaskQueue, requirements: Requirements, *, by: str | None = None
    ) -> None: ...

    async def submission(self, task_id: str, *, certain: bool = False) -> TaskMessage:
        raise TaskNotFound(task_id)

    async def submissions(self, task_ids: object, *, certain: bool = False) -> dict[str, Any]:
        return {}

    def note_submitted(self, task: NewTask) -> None: ...


@cache
def submitting_app(kind: type[Broker] = Broker) -> FastAPI:
    """One for all tests with this kind of broker."""
    broker = kind()
    given: dict[str, Any] = {
        "publisher": broker,
        "ensure": broker.ensure,
        "tasks": broker,
        "maker": TaskMaker(secret=b"a secret of the tests", types=AnnouncedTypes()),
        "one_at_a_time": PerIdLock(),
    }
    submitter = Submitter(**given)
    return Fakes().app(submitter=submitter, batches=BatchSubmitter(**given))
