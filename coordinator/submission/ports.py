"""What submission needs of the rest of the program; bootstrap fits it in."""

from __future__ import annotations

from typing import Protocol

from coordinator.protocol.lanes import Source
from coordinator.protocol.message import Message
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task import TaskMessage

__all__ = ["Ensure", "FindTask", "NoteSubmitted", "Publishes"]


class Publishes(Protocol):
    """`broker.publisher.Publisher`."""

    async def publish(
        self, message: Message, *, exchange: str, key: str, mandatory: bool = False
    ) -> None: ...


class Ensure(Protocol):
    """`opener.SourceOpener.ensure`."""

    async def __call__(self, source: Source, requirements: Requirements) -> None: ...


class FindTask(Protocol):
    """The task of this id as it was submitted, as far as it is known; raises `TaskNotFound`."""

    async def __call__(self, task_id: str) -> TaskMessage: ...


class NoteSubmitted(Protocol):
    """Told of each task that the broker confirmed, before it is answered."""

    def __call__(self, task: TaskMessage) -> None: ...
