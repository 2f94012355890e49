"""Declares the ports that submission is given by the rest of the program; bootstrap connects them. Those of
the broker that others use as well are in `broker.ports`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from coordinator.broker.ports import PublishesMessages
from coordinator.broker.publisher import Outgoing
from coordinator.errors import CoordinatorError
from coordinator.protocol.messages.events import Event
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue

__all__ = [
    "Admits",
    "EnsuresQueue",
    "KnowsTasks",
    "NotesEnd",
    "PublishesMany",
    "PublishesOne",
]


class PublishesOne(PublishesMessages, Protocol):
    """Publishes one message, and knows how large it may be: `broker.publisher.Publisher`."""

    async def check_size(self, size: int) -> None:
        """Raises `MessageTooLarge` where a message of ``size`` bytes would be refused, or `Unavailable`."""
        ...


class PublishesMany(Protocol):
    """Publishes many messages at once, within one deadline: `broker.publisher.Publisher`."""

    def deadline(self) -> float:
        """By when whatever is begun now is answered, on the clock of the event loop."""
        ...

    async def publish_all(
        self, messages: Sequence[Outgoing], *, deadline: float
    ) -> Sequence[CoordinatorError | None]:
        """Publish in order; how each ended by ``deadline``, in the same order, None for a confirm."""
        ...


class EnsuresQueue(Protocol):
    """Opens a task queue where it is not open yet: `submission.queue_opener.QueueOpener.ensure`."""

    async def __call__(self, task_queue: TaskQueue, requirements: Requirements, /) -> None:
        """Return once it is open and announced. Raises `TooManyLanes`, `TopologyConflict` or
        `BrokerUnavailable`.
        """
        ...


class Admits(Protocol):
    """Lets a task in, or refuses it: `submission.admission_control.AdmissionControl.admit`."""

    def __call__(self, size: int, /) -> None:
        """Called with the bytes of its message before it is published. Raises `QueuesFull`."""
        ...


class NotesEnd(Protocol):
    """Shows an event to whoever reads from this process: `registry.queries.registry.Registry.note`."""

    def __call__(self, event: Event, /) -> None:
        """Called once for each event, after the broker has confirmed it. Raises nothing."""
        ...


class KnowsTasks(Protocol):
    """Reads the tasks that are known, as they were submitted: `registry.queries.registry.Registry`.

    With ``certain`` they wait until the ledger has what any coordinator accepted, and raise
    `LedgerBehind` where that takes too long.
    """

    async def submission(self, task_id: str, *, certain: bool = False) -> TaskMessage:
        """Raises `TaskNotFound`."""
        ...

    async def submissions(
        self, task_ids: Collection[str], *, certain: bool = False
    ) -> dict[str, TaskMessage]:
        """Those of the tasks that are known, by id."""
        ...

    def note_submitted(self, task: TaskMessage) -> None:
        """Told of each task that the broker confirmed, before it is answered."""
        ...
