"""What submission needs of the rest of the program; bootstrap fits it in."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from coordinator.broker.publisher import Outgoing
from coordinator.errors import CoordinatorError
from coordinator.protocol.message import Message
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue

__all__ = ["Admit", "Ensure", "KnowsTasks", "Publishes", "PublishesMany", "PublishesOne"]


class Publishes(Protocol):
    """`broker.publisher.Publisher`."""

    async def publish(
        self, message: Message, *, exchange: str, key: str, mandatory: bool = False
    ) -> None: ...


class PublishesOne(Publishes, Protocol):
    """`broker.publisher.Publisher`."""

    async def check_size(self, size: int) -> None:
        """Raises `PayloadTooLarge` where a message of so many bytes would be refused."""
        ...


class PublishesMany(Protocol):
    """`broker.publisher.Publisher`."""

    def deadline(self) -> float:
        """By when whatever is begun now is answered, on the clock of the event loop."""
        ...

    async def publish_all(
        self, messages: Sequence[Outgoing], *, deadline: float
    ) -> Sequence[CoordinatorError | None]:
        """How each ended by then; None for a confirm."""
        ...


class Ensure(Protocol):
    """`opener.SourceOpener.ensure`."""

    async def __call__(self, source: TaskQueue, requirements: Requirements) -> None: ...


class Admit(Protocol):
    """`admission.Admission.admit`."""

    def __call__(self, size: int, /) -> None:
        """Raises `QueuesFull`."""
        ...


class KnowsTasks(Protocol):
    """`registry.queries.registry.Registry`: the tasks that are known, as they were submitted.

    With ``certain`` they wait until the ledger has what any coordinator accepted, and raise
    `LedgerBehind` where that takes too long.
    """

    async def submission(self, task_id: str, *, certain: bool = False) -> TaskMessage:
        """Raises `TaskNotFound`."""
        ...

    async def submissions(
        self, task_ids: Collection[str], *, certain: bool = False
    ) -> dict[str, TaskMessage]: ...

    def note_submitted(self, task: TaskMessage) -> None:
        """Told of each task that the broker confirmed, before it is answered."""
        ...
