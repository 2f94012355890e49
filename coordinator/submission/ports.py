"""Declares the ports that submission is given by the rest of the program; bootstrap connects them. Those of
the broker that others use as well are in `broker.ports`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol

from coordinator.broker.ports import PublishesMessages
from coordinator.broker.publisher import Ended, Outgoing
from coordinator.errors import CoordinatorError
from coordinator.protocol.message import Message
from coordinator.protocol.messages.events import Event
from coordinator.protocol.messages.new_task import NewTask
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue

__all__ = [
    "Admits",
    "CompletesHalves",
    "DoubtsTask",
    "EnsuresQueue",
    "FindsUnserved",
    "KnowsTasks",
    "NotesEnd",
    "PublishesEach",
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


class PublishesEach(PublishesOne, PublishesMany, Protocol):
    """Publishes many messages, and tells of each by itself: `broker.publisher.Publisher`."""

    @property
    def sure_size(self) -> int:
        """Bytes of a body that the broker takes for certain."""
        ...

    async def publish_each(
        self,
        messages: Sequence[Outgoing],
        *,
        told: Callable[[int, Ended], None],
        deadline: float,
    ) -> None:
        """Publish in order; ``told`` is called once for each with its index, as soon as it has ended."""
        ...


class DoubtsTask(Protocol):
    """Has a task watched that may be on no queue: `recovery.half_published_tasks.HalfPublishedTasks`."""

    def __call__(self, task_id: str, /) -> None:
        """Called with a task that was submitted before, by whoever. Neither waits nor raises."""
        ...


class CompletesHalves(Protocol):
    """Sees to tasks of which the broker has one half, the message on the queue or the record in the log:
    `recovery.half_published_tasks.HalfPublishedTasks`. Nothing here waits, or raises.
    """

    def unlogged(self, message: Message, /) -> None:
        """The task is on its queue, and perhaps not in the log."""
        ...

    def unqueued(self, message: Message, /, *, certain: bool) -> None:
        """The task may be in the log, and is not on its queue; not ``certain`` where the broker has said
        so with a nack.
        """
        ...

    def doubted(self, task_id: str, /) -> None:
        """The task may be in the log, and is perhaps not on its queue."""
        ...


class EnsuresQueue(Protocol):
    """Opens a task queue where it is not open yet: `submission.queue_opener.QueueOpener.ensure`."""

    async def __call__(
        self, task_queue: TaskQueue, requirements: Requirements, /, *, by: str | None
    ) -> None:
        """Return once it is open and announced; ``by`` is whose task wants it, None where that is not known.
        Raises `TooManyLanes`, `TooManyRequests`, `TopologyConflict` or `BrokerUnavailable`.
        """
        ...


class FindsUnserved(Protocol):
    """Finds lanes that no agent ever registered for: `registry.queries.unserved_lanes.UnservedLanes`."""

    async def among(self, lanes: Mapping[str, Requirements]) -> AbstractSet[str]:
        """Those of ``lanes``, by their names. Raises nothing; none while it cannot be known."""
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

    def note_submitted(self, task: NewTask) -> None:
        """Told of each task that the broker confirmed, before it is answered."""
        ...
