"""What submission needs of the rest of the program; bootstrap fits it in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from coordinator.protocol.lanes import Source
from coordinator.protocol.message import Message
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task import TaskMessage

__all__ = ["Ensure", "FindTask", "KnownTask", "NoteSubmitted", "Publishes"]


class Publishes(Protocol):
    """`broker.publisher.Publisher`."""

    async def publish(
        self, message: Message, *, exchange: str, key: str, mandatory: bool = False
    ) -> None: ...


class Ensure(Protocol):
    """`opener.SourceOpener.ensure`."""

    async def __call__(self, source: Source, requirements: Requirements) -> None: ...


class KnownTask(Protocol):
    """What is compared when an id is submitted again."""

    @property
    def task_data(self) -> Mapping[str, Any]: ...
    @property
    def priority(self) -> Priority: ...
    @property
    def requirements(self) -> Mapping[str, Any]: ...
    @property
    def submitted_at(self) -> datetime: ...


class FindTask(Protocol):
    """The task of this id, as far as it is known; raises `TaskNotFound`."""

    async def __call__(self, task_id: str) -> KnownTask: ...


class NoteSubmitted(Protocol):
    """Told of each task that the broker confirmed, before it is answered."""

    def __call__(self, task: TaskMessage) -> None: ...
