"""Declares the ports that recovery is given by the rest of the program; bootstrap connects them. A port
that one module alone needs stands in that module; those of the broker are in `broker.ports`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

from coordinator.domain.task import Task, TasksInHand
from coordinator.protocol.messages.events import Event
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue

__all__ = [
    "CatchesUp",
    "FindsTaskAndMessage",
    "IsReady",
    "ListsTasksInHand",
    "NotesEvent",
    "ReopensQueue",
    "Settles",
    "TakesTurns",
]

T = TypeVar("T")


class CatchesUp(Protocol):
    """Waits until the ledger has all that was in the log: `registry.projection.read_barrier.ReadBarrier`'s
    `ledger`.
    """

    async def __call__(self) -> None:
        """Return once it has what the log held at the call. Raises `LedgerBehind` where that takes too
        long, `LedgerUnavailable` or `BrokerUnavailable`.
        """


class NotesEvent(Protocol):
    """Shows an event to whoever reads from this process: `registry.queries.registry.Registry.note`."""

    def __call__(self, event: Event, /) -> None:
        """Called once for each event, after the broker has confirmed it. Raises nothing."""


class IsReady(Protocol):
    """Tells whether the broker would take a message at this moment."""

    def __call__(self) -> bool: ...


class ListsTasksInHand(Protocol):
    """Lists the tasks that agents are believed to have: `registry.agents.live_agents.LiveAgents.in_hand`."""

    def __call__(self) -> TasksInHand: ...


class ReopensQueue(Protocol):
    """Opens the queue of tasks that belong on it: `submission.queue_opener.QueueOpener.ensure`."""

    async def __call__(
        self, task_queue: TaskQueue, requirements: Requirements, /, *, again: bool
    ) -> None:
        """Return once the queue is open and announced. With ``again`` a queue that is known is opened as
        well, because it turned out to be missing. Raises `TooManyLanes` (not with ``again``),
        `TopologyConflict` or `BrokerUnavailable`.
        """


class FindsTaskAndMessage(Protocol):
    """Reads a task and the message that its content is from: `registry.queries.registry.Registry`'s
    `current_task`.
    """

    async def __call__(self, task_id: str) -> tuple[Task, TaskMessage]:
        """Raises `TaskNotFound`, `LedgerBehind`, `LedgerUnavailable` or `BrokerUnavailable`."""


class Settles(Protocol):
    """Waits until the ledger has what was published before: `registry.queries.registry.Registry.settle`."""

    async def __call__(self) -> None:
        """Raises `LedgerBehind` or `BrokerUnavailable` where that cannot be waited for."""


class TakesTurns(Protocol):
    """Lets one request at a time act on a task: `registry.stores.request_turns.RequestTurns`."""

    async def take(self, task_id: str, decide: Callable[[Task, TaskMessage], tuple[str, T]]) -> T:
        """Take the turn, and return the second of what ``decide`` returns; the first is the id of the event
        that is published next. ``decide`` is called in a thread, perhaps more than once.

        Raises what ``decide`` raises, `TaskNotFound`, or `Unavailable`; then it is nobody's turn.
        """

    def sending(self, event_id: str) -> AbstractAsyncContextManager[None]:
        """Publish the event of the turn in this block. A definite refusal gives the turn back."""
