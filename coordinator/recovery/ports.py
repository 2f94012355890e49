"""What recovery needs of the rest of the program; bootstrap fits it in."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

from coordinator.domain.task import Task
from coordinator.protocol.message import Message
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue

__all__ = ["FindTask", "Publishes", "Reopen", "TakesTurns"]

T = TypeVar("T")


class Reopen(Protocol):
    """`submission.queue_opener.QueueOpener.ensure`."""

    async def __call__(
        self, source: TaskQueue, requirements: Requirements, *, again: bool
    ) -> None: ...


class Publishes(Protocol):
    """`broker.publisher.Publisher`."""

    async def publish(
        self, message: Message, *, exchange: str, key: str, mandatory: bool = False
    ) -> None: ...


class FindTask(Protocol):
    """`registry.Registry.current_task`: how a task stands, and the message that its content is from;
    raises `TaskNotFound`.
    """

    async def __call__(self, task_id: str) -> tuple[Task, TaskMessage]: ...


class TakesTurns(Protocol):
    """`registry.stores.task_turns.TaskTurns`."""

    async def take(
        self, task_id: str, decide: Callable[[Task, TaskMessage], tuple[str, T]]
    ) -> T: ...

    def sending(self, event_id: str) -> AbstractAsyncContextManager[None]: ...
