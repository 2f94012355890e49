"""What recovery needs of the rest of the program; bootstrap fits it in."""

from __future__ import annotations

from typing import Protocol

from coordinator.domain.task import Task
from coordinator.protocol.lanes import Source
from coordinator.protocol.message import Message
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task import TaskMessage

__all__ = ["FindTask", "Publishes", "Reopen"]


class Reopen(Protocol):
    """`submission.opener.SourceOpener.ensure`."""

    async def __call__(
        self, source: Source, requirements: Requirements, *, again: bool
    ) -> None: ...


class Publishes(Protocol):
    """`broker.publisher.Publisher`."""

    async def publish(
        self, message: Message, *, exchange: str, key: str, mandatory: bool = False
    ) -> None: ...


class FindTask(Protocol):
    """`registry.Registry.standing`: how a task stands, and the message that its content is from;
    raises `TaskNotFound`.
    """

    async def __call__(self, task_id: str) -> tuple[Task, TaskMessage]: ...
