"""Redrives tasks that ended without their work done: each starts again as a new generation.

A redrive is a message to the log alone, as a submission with a time of its own is: folded, it makes
the task `scheduled`, and the outbox puts it on its queue when it is due. Its id is made of the task
and the generation, and redrives of a task take turns: of two at the same time, one is told that it was
the one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from coordinator.broker.ports import PublishesMessages
from coordinator.domain.announced_types import AnnouncedTypes
from coordinator.domain.dead_filter import DeadFilter
from coordinator.domain.task import State, Task
from coordinator.errors import MessageTooLarge, WrongState
from coordinator.protocol.messages.task_message import TaskMessage, scheduling_id
from coordinator.protocol.task_token import task_token
from coordinator.protocol.topology import LOG

from .oversized_tasks import without_progress
from .ports import TakesTurns

__all__ = ["REDRIVABLE", "Redriven", "RedrivenMany", "TaskRedriver"]

logger = logging.getLogger(__name__)

REDRIVABLE = (State.DEAD, State.EXPIRED, State.CANCELLED)
"""What did not get its work done. A task that is completed is submitted anew, under another id."""

_BY_ITSELF = (
    ". Should its agent have lost it, that is noticed, and another attempt follows by itself"
)

CHUNK = 200
"""Tasks that are read, with their content, and published at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redriven:
    """The task will be tried again."""

    task_id: str
    generation: int
    was: State
    due: datetime
    task: TaskMessage
    """As it goes round again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedrivenMany:
    """Counts what a redrive by filter did."""

    matched: int
    redriven: int
    last_due: datetime | None
    """When the last of them goes to its queue; None where none was redriven."""
    too_large: int = 0
    """Left, because the broker takes no message so large."""


class FindsDead(Protocol):
    """Counts dead tasks: `registry.queries.dead_tasks.DeadTasks`."""

    async def count(self, wanted: DeadFilter) -> int:
        """How many match. Raises `LedgerUnavailable`."""


class TakesDeadTurns(TakesTurns, Protocol):
    """Takes the turns of many dead tasks at once, too: `registry.stores.request_turns.RequestTurns`."""

    async def take_dead(
        self,
        wanted: DeadFilter,
        *,
        after: Task | None,
        most: int,
        event_id: Callable[[Task], str],
    ) -> tuple[Task | None, list[tuple[Task, TaskMessage]]]:
        """The next ``most`` dead tasks that match and come ``after`` that one, each with its message, the
        turn of each being taken; and the last that was looked at, None where there are no more.

        ``event_id`` gives the id of the message that the caller publishes for a task. Raises
        `LedgerUnavailable`.
        """


class NotesSubmission(Protocol):
    """Shows a task to whoever reads from this process: `registry.queries.registry.Registry`'s
    `note_submitted`.
    """

    def __call__(self, task: TaskMessage, /) -> None:
        """Called once for each message, after the broker has confirmed it. Raises nothing."""


class TaskRedriver:
    """Publishes tasks anew, one by its id or the dead ones by a filter. ``secret`` signs their tokens."""

    def __init__(
        self,
        *,
        turns: TakesDeadTurns,
        dead: FindsDead,
        publisher: PublishesMessages,
        secret: bytes,
        types: AnnouncedTypes,
        note: NotesSubmission,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._turns = turns
        self._dead = dead
        self._publisher = publisher
        self._secret = secret
        self._types = types
        self._note = note
        self._now = now

    async def redrive(
        self,
        task_id: str,
        *,
        task_data: dict[str, Any] | None = None,
        delay: timedelta = timedelta(),
        by: str | None = None,
    ) -> Redriven:
        """Send one task round again, with other data where they are given. ``by``: who asked for it.

        Raises `TaskNotFound`, `WrongState`, `MessageTooLarge` or `Unavailable`: repeating is safe.
        """
        task, message = await self._turns.take(task_id, _decide)
        due = self._now() + delay
        again = self._again(task, message, due, task_data, by)
        await self._publish(again)
        return Redriven(
            task_id=task_id, generation=again.generation, was=task.state, due=due, task=again
        )

    async def redrive_dead(
        self,
        wanted: DeadFilter,
        *,
        rate: float | None,
        limit: int,
        dry_run: bool = False,
        by: str | None = None,
    ) -> RedrivenMany:
        """Send the dead tasks that match round again, the first that died first.

        ``rate`` of them go to their queues in a second; None is all at once. Raises `Unavailable`:
        those that were sent by then are, and a repetition goes on with the rest. One that is too large
        holds up no other.
        """
        matched = await self._dead.count(wanted)
        if dry_run:
            return RedrivenMany(matched=matched, redriven=0, last_due=None)
        spacing = timedelta() if rate is None else timedelta(seconds=1 / rate)
        start, redriven, too_large, last, due = self._now(), 0, 0, None, None
        while redriven < limit:
            most = min(CHUNK, limit - redriven)
            last, found = await self._turns.take_dead(
                wanted, after=last, most=most, event_id=_next_message
            )
            if last is None:
                break
            dues = [start + spacing * (redriven + number) for number in range(len(found))]
            sent = await self._publish_all(
                [
                    self._again(task, message, due, None, by)
                    for (task, message), due in zip(found, dues, strict=True)
                ]
            )
            redriven += len(sent)
            too_large += len(found) - len(sent)
            due = sent[-1].not_before if sent else due
        logger.info(
            "redrove dead tasks",
            extra={"matched": matched, "redriven": redriven, "too_large": too_large},
        )
        return RedrivenMany(matched=matched, redriven=redriven, last_due=due, too_large=too_large)

    def _again(
        self,
        task: Task,
        message: TaskMessage,
        due: datetime,
        task_data: dict[str, Any] | None,
        by: str | None,
    ) -> TaskMessage:
        """Its deadline, if it had one, does not count any more: a person wants it done."""
        generation = task.generation + 1
        return self._types.route(
            message.model_copy(
                update={
                    "generation": generation,
                    "attempt": 1,
                    "task_data": message.task_data if task_data is None else task_data,
                    "not_before": due,
                    "expires_at": None,
                    "redriven_by": by,
                    "previous_progress": task.progress,
                    "task_token": task_token(self._secret, task.task_id, generation, 1),
                }
            )
        )

    async def _publish_all(self, tasks: Sequence[TaskMessage]) -> list[TaskMessage]:
        """Those that the broker has; the others are too large."""
        ended = await asyncio.gather(
            *(self._publish(task) for task in tasks), return_exceptions=True
        )
        for failure in ended:
            if failure is not None and not isinstance(failure, MessageTooLarge):
                raise failure
        return [task for task, failure in zip(tasks, ended, strict=True) if failure is None]

    async def _publish(self, task: TaskMessage) -> None:
        async with self._turns.sending(task.message_id):
            try:
                await self._send(task)
            except MessageTooLarge:
                lighter = without_progress(task)
                if lighter is None:
                    raise
                await self._send(lighter)
        self._note(task)

    async def _send(self, task: TaskMessage) -> None:
        await self._publisher.publish(task.to_message(), exchange="", key=LOG, mandatory=True)


def _next_message(task: Task) -> str:
    return scheduling_id(task.task_id, task.generation + 1)


def _decide(task: Task, message: TaskMessage) -> tuple[str, tuple[Task, TaskMessage]]:
    if task.state not in REDRIVABLE:
        by_itself = _BY_ITSELF if task.state is State.RUNNING else ""
        raise WrongState(
            f"The task is {task.state}: only one that is {', '.join(REDRIVABLE)} can be"
            f" tried again{by_itself}"
        )
    return _next_message(task), (task, message)
