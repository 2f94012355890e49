"""Cancels the tasks of a group that go on: those that wait for an agent, their time, a retry, and that run.

    the ledger has all that was accepted before ─▶ some hundred, each in turn ─▶ their ends, in one message
         ▲                                                                            │
         └──── once more, for what was another's turn or moved meanwhile ◀─── all ────┘

What becomes of each is as with one that is cancelled by itself (`recovery.task_canceller`). Repeating is
safe, and goes on with the rest: what has ended is left alone.
"""

from __future__ import annotations

import contextlib
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from coordinator.broker.ports import PublishesMessages
from coordinator.domain.labels.task_labels import LabelFilter
from coordinator.domain.task import State, Task
from coordinator.errors import (
    BrokerUnavailable,
    LedgerBehind,
    LedgerUnavailable,
    OutcomeUnknown,
)
from coordinator.protocol.ids import new_id
from coordinator.protocol.messages.event_codec.event_encoding import encode_batch
from coordinator.protocol.messages.events import Event, TaskCancelled
from coordinator.protocol.topology import EVENTS
from coordinator.recovery.ports import NotesEvent

__all__ = ["GroupCancelled", "GroupCanceller"]

logger = logging.getLogger(__name__)

REQUESTED = "requested"
"""The `reason` of the events, as of one task that is cancelled."""

CHUNK = 200
"""Tasks that are ended with one message."""

ROUNDS = 3
"""Times that the group is gone through, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupCancelled:
    """Counts what was cancelled."""

    was: Mapping[State, int]
    """Tasks that this request has ended, by the state that each was in; none that is 0."""
    left: int
    """Tasks that go on: more than were to be ended, or others act on them at this moment."""

    @property
    def cancelled(self) -> int:
        """All that this request has ended."""
        return sum(self.was.values())


class FoundTasks(Protocol):
    """Some tasks whose turn one has: `registry.stores.group_tasks.LivePage`."""

    @property
    def tasks(self) -> Sequence[Task]: ...
    @property
    def last(self) -> Task | None:
        """That was looked at; None where there are no more."""


class TakesGroupTurns(Protocol):
    """Finds the tasks of a group: `registry.stores.group_tasks.GroupTasks`. Everything raises
    `LedgerUnavailable`.
    """

    async def take(
        self,
        wanted: LabelFilter,
        *,
        by: str | None,
        after: Task | None,
        most: int,
        event_id: Callable[[Task], str],
    ) -> FoundTasks:
        """The next ``most`` that go on and come after ``after``, the turn of each being taken."""

    async def give_back(self, event_ids: Collection[str]) -> None:
        """These were not published."""

    async def ended_otherwise(self, events: Mapping[str, str]) -> set[str]:
        """Of these tasks, each with its event, those that another event has ended."""

    async def going_on(self, wanted: LabelFilter, *, by: str | None) -> int:
        """How many go on."""


class WithdrawsMany(Protocol):
    """Takes tasks out of the outbox: `registry.stores.outbox_rows.OutboxRows`."""

    async def withdraw_all(self, ended: Sequence[tuple[str, int]]) -> None:
        """Nothing of these, pairs of task and generation, is to be published. Raises `LedgerUnavailable`."""


class SettlesLedger(Protocol):
    """Waits until the ledger has what was accepted before: `registry.queries.registry.Registry.settle`."""

    async def __call__(self) -> None:
        """Raises `LedgerBehind` or `BrokerUnavailable` where that cannot be waited for."""


class GroupCanceller:
    """Publishes `task.cancelled` for all tasks of a group, and counts those that it has ended."""

    def __init__(
        self,
        *,
        tasks: TakesGroupTurns,
        settle: SettlesLedger,
        publisher: PublishesMessages,
        outbox: WithdrawsMany,
        note: NotesEvent,
        chunk: int = CHUNK,
    ) -> None:
        self._tasks = tasks
        self._settle = settle
        self._publisher = publisher
        self._outbox = outbox
        self._note = note
        self._chunk = chunk

    async def cancel(
        self,
        wanted: LabelFilter,
        *,
        limit: int,
        own: str | None = None,
        reason: str | None = None,
        by: str | None = None,
    ) -> GroupCancelled:
        """End the tasks that match, at most ``limit``; those of the submitter ``own`` alone, where one is
        given. ``reason`` is for people, ``by`` is who asks.

        Raises `LedgerBehind` before anything was done, or `Unavailable`: those that were ended by then stay
        ended, and a repetition goes on with the rest.
        """
        await self._settle()
        ended: dict[str, tuple[Event, Task]] = {}
        for _ in range(ROUNDS):
            before = len(ended)
            await self._go_through(wanted, own, limit, _Saying(reason, by), ended)
            with contextlib.suppress(LedgerBehind, BrokerUnavailable):
                await self._settle()
            left = await self._tasks.going_on(wanted, by=own)
            if not left or len(ended) >= limit or len(ended) == before:
                break
        else:
            left = await self._tasks.going_on(wanted, by=own)
        was = Counter(task.state for task in await self._ended_here(ended))
        logger.info(
            "cancelled a group",
            extra={"group": wanted.group, "cancelled": was.total(), "left": left},
        )
        return GroupCancelled(was=was, left=left)

    async def _go_through(
        self,
        wanted: LabelFilter,
        own: str | None,
        limit: int,
        saying: _Saying,
        ended: dict[str, tuple[Event, Task]],
    ) -> None:
        """Once, from the first task to the last; adds to ``ended``."""
        after: Task | None = None
        while len(ended) < limit:
            ids: dict[str, str] = defaultdict(new_id)
            found = await self._tasks.take(
                wanted,
                by=own,
                after=after,
                most=min(self._chunk, limit - len(ended)),
                event_id=partial(_event_id, ids),
            )
            if found.last is None:
                return
            after = found.last
            events = [saying.end_of(task, ids[task.task_id]) for task in found.tasks]
            if events:
                await self._publish(events)
                ended |= {
                    task.task_id: (event, task)
                    for event, task in zip(events, found.tasks, strict=True)
                }
                await self._withdraw(found.tasks)

    async def _publish(self, events: Sequence[Event]) -> None:
        key, message = encode_batch(events)
        try:
            await self._publisher.publish(message, exchange=EVENTS, key=key)
        except OutcomeUnknown:
            raise
        except Exception:
            with contextlib.suppress(LedgerUnavailable):  # then the turns are in doubt, in a while
                await self._tasks.give_back([event.id for event in events])
            raise
        for event in events:
            self._note(event)

    async def _withdraw(self, tasks: Sequence[Task]) -> None:
        """Folding takes the rows away, too, but they might fall due before that."""
        waiting = [
            (task.task_id, task.generation)
            for task in tasks
            if task.state in (State.SCHEDULED, State.WAITING)
        ]
        if waiting:
            with contextlib.suppress(LedgerUnavailable):
                await self._outbox.withdraw_all(waiting)

    async def _ended_here(self, ended: Mapping[str, tuple[Event, Task]]) -> list[Task]:
        """The log decides: an agent may have ended some a moment before. What the ledger does not have yet
        counts as ended here.
        """
        otherwise: set[str] = set()
        ids = list(ended)
        for start in range(0, len(ids), self._chunk):
            some = {one: ended[one][0].id for one in ids[start : start + self._chunk]}
            otherwise |= await self._tasks.ended_otherwise(some)
        return [task for task_id, (_, task) in ended.items() if task_id not in otherwise]


def _event_id(ids: Mapping[str, str], task: Task) -> str:
    return ids[task.task_id]


@dataclass(frozen=True, slots=True)
class _Saying:
    reason: str | None
    by: str | None

    def end_of(self, task: Task, event_id: str) -> Event:
        return Event(
            id=event_id,
            data=TaskCancelled(
                task_id=task.task_id,
                generation=task.generation,
                attempt=task.attempt,
                reason=REQUESTED,
                message=self.reason,
                by=self.by,
            ),
        )
