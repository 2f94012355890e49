"""From a request to a confirmed publish: the one way in which a task enters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from coordinator.errors import Conflict, OutcomeUnknown, PublishRefused, TaskNotFound
from coordinator.protocol.ids import new_id
from coordinator.protocol.limits import check_id
from coordinator.protocol.message import Message
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task import TaskMessage
from coordinator.protocol.token import task_token
from coordinator.protocol.topology import TASKS

from .limits import (
    Limits,
    check_data,
    check_message_size,
    check_requirements,
    check_timeout,
)
from .ports import Ensure, FindTask, KnownTask, NoteSubmitted, Publishes

__all__ = ["Accepted", "SubmitTask", "Submitter"]

MAX_ATTEMPTS = 1
"""A failed task ends after its first attempt until there are retries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitTask:
    """A producer's wish. Its types are checked already, its values are not."""

    task_data: dict[str, Any]
    """`task_id` in it, where there is one, becomes the task's id."""
    priority: Priority = Priority.NORMAL
    requirements: Requirements = field(default_factory=Requirements)
    timeout_seconds: float | None = None
    metadata: dict[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers of the message: the W3C `traceparent` of the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The broker has the task."""

    task_id: str
    priority: Priority
    submitted_at: datetime


class Submitter:
    """Publishes tasks, each once, and returns only after the broker's confirm."""

    def __init__(
        self,
        *,
        publisher: Publishes,
        ensure: Ensure,
        secret: bytes,
        find: FindTask,
        note_submitted: NoteSubmitted,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._publisher = publisher
        self._ensure = ensure
        self._secret = secret
        self._find = find
        self._note_submitted = note_submitted
        self._limits = limits
        self._now = now
        self._being_submitted: dict[str, asyncio.Event] = {}

    async def submit(self, command: SubmitTask) -> Accepted:
        """Accept the task or say why not.

        An id that is known already is answered as it was the first time, if the task is the same;
        `Conflict` if it is not. `BrokerUnavailable`: nothing was sent. `OutcomeUnknown`, with its
        ``task_id``: the task may have been accepted.
        """
        self._check(command)
        given = command.task_data.get("task_id")
        if given is None:
            return await self._publish(command, new_id())
        task_id = check_id(given, "task_data.task_id", field="task_data.task_id")
        async with self._alone_with(task_id):
            try:
                known = await self._find(task_id)
            except TaskNotFound:
                return await self._publish(command, task_id)
            return _same_answer(command, task_id, known)

    def _check(self, command: SubmitTask) -> None:
        check_data(command.task_data, "task_data", self._limits)
        if command.metadata is not None:
            check_data(command.metadata, "metadata", self._limits)
        check_requirements(command.requirements, self._limits)
        check_timeout(command.timeout_seconds, self._limits)

    async def _publish(self, command: SubmitTask, task_id: str) -> Accepted:
        task = self._task(command, task_id)
        message = task.to_message(dict(command.headers))
        check_message_size(message.body)
        source = task.source
        await self._ensure(source, command.requirements)
        try:
            await self._publish_confirmed(message, source.key)
        except OutcomeUnknown as exc:
            raise OutcomeUnknown(str(exc), task_id=task_id) from exc
        self._note_submitted(task)
        return Accepted(task_id=task_id, priority=task.priority, submitted_at=task.submitted_at)

    def _task(self, command: SubmitTask, task_id: str) -> TaskMessage:
        return TaskMessage.model_construct(
            None,
            task_id=task_id,
            generation=1,
            attempt=1,
            max_attempts=MAX_ATTEMPTS,
            task_data=command.task_data,
            priority=command.priority,
            requirements=command.requirements.as_dict(),
            submitted_at=self._now(),
            timeout_seconds=command.timeout_seconds,
            metadata=command.metadata,
            task_token=task_token(self._secret, task_id, 1, 1),
        )

    async def _publish_confirmed(self, message: Message, key: str) -> None:
        """Once more after a definite no, since nothing was stored then; never after silence."""
        try:
            await self._publisher.publish(message, exchange=TASKS, key=key)
        except PublishRefused:
            await self._publisher.publish(message, exchange=TASKS, key=key)

    @asynccontextmanager
    async def _alone_with(self, task_id: str) -> AsyncIterator[None]:
        """One submission of an id at a time, so that the second finds the first."""
        while (other := self._being_submitted.get(task_id)) is not None:
            await other.wait()
        done = self._being_submitted[task_id] = asyncio.Event()
        try:
            yield
        finally:
            del self._being_submitted[task_id]
            done.set()


def _same_answer(command: SubmitTask, task_id: str, known: KnownTask) -> Accepted:
    same = (
        command.task_data == known.task_data
        and command.priority == known.priority
        and command.requirements == Requirements.from_dict(dict(known.requirements))
    )
    if not same:
        raise Conflict(
            f"The task_id {task_id!r} was used before, for another task: choose a new one"
        )
    return Accepted(task_id=task_id, priority=known.priority, submitted_at=known.submitted_at)
