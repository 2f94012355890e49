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
from coordinator.protocol.topology import LOG, TASKS

from .limits import (
    Limits,
    check_data,
    check_message_size,
    check_requirements,
    check_timeout,
)
from .options import Options, Settled, check_options, settled
from .ports import Ensure, FindTask, NoteSubmitted, Publishes

__all__ = ["Accepted", "SubmitTask", "Submitter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitTask:
    """A producer's wish. Its types are checked already, its values are not."""

    task_data: dict[str, Any]
    """`task_id` in it, where there is one, becomes the task's id."""
    priority: Priority = Priority.NORMAL
    requirements: Requirements = field(default_factory=Requirements)
    timeout_seconds: float | None = None
    options: Options = field(default_factory=Options)
    metadata: dict[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers of the message: the W3C `traceparent` of the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The broker has the task."""

    task_id: str
    priority: Priority
    submitted_at: datetime
    not_before: datetime | None = None
    """Where it is scheduled: when it goes on its queue."""


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
            return self._same_answer(command, known)

    def _check(self, command: SubmitTask) -> None:
        check_data(command.task_data, "task_data", self._limits)
        if command.metadata is not None:
            check_data(command.metadata, "metadata", self._limits)
        check_requirements(command.requirements, self._limits)
        check_timeout(command.timeout_seconds, self._limits)
        check_options(command.options, self._limits)

    async def _publish(self, command: SubmitTask, task_id: str) -> Accepted:
        task = self._task(command, task_id)
        message = task.to_message(dict(command.headers))
        check_message_size(message.body)
        source = task.source
        await self._ensure(source, command.requirements)
        try:
            if task.not_before is None:
                await self._publish_confirmed(message, TASKS, source.key)
            else:
                await self._publish_confirmed(message, "", LOG)
        except OutcomeUnknown as exc:
            raise OutcomeUnknown(str(exc), task_id=task_id) from exc
        self._note_submitted(task)
        return _accepted(task)

    def _task(self, command: SubmitTask, task_id: str) -> TaskMessage:
        now = self._now()
        options = command.options
        times = settled(options, now, self._limits)
        return TaskMessage.model_construct(
            None,
            task_id=task_id,
            generation=1,
            attempt=1,
            max_attempts=options.max_attempts or self._limits.default_max_attempts,
            backoff=options.backoff,
            task_data=command.task_data,
            priority=command.priority,
            requirements=command.requirements.as_dict(),
            submitted_at=now,
            timeout_seconds=command.timeout_seconds,
            progress_timeout_seconds=options.progress_timeout_seconds,
            not_before=times.not_before,
            expires_at=times.expires_at,
            metadata=command.metadata,
            task_token=task_token(self._secret, task_id, 1, 1),
        )

    async def _publish_confirmed(self, message: Message, exchange: str, key: str) -> None:
        """Once more after a definite no, since nothing was stored then; never after silence."""
        mandatory = exchange == ""  # a queue by its name: it may be missing
        try:
            await self._publisher.publish(message, exchange=exchange, key=key, mandatory=mandatory)
        except PublishRefused:
            await self._publisher.publish(message, exchange=exchange, key=key, mandatory=mandatory)

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

    def _same_answer(self, command: SubmitTask, known: TaskMessage) -> Accepted:
        """A deadline or a delay in seconds counts from when the task was submitted first."""
        times = settled(command.options, known.submitted_at, self._limits)
        options = command.options
        same = (
            command.task_data == known.task_data
            and command.priority == known.priority
            and command.requirements == known.wanted
            and command.timeout_seconds == known.timeout_seconds
            and options.max_attempts in (None, known.max_attempts)
            and options.backoff == known.backoff
            and options.progress_timeout_seconds == known.progress_timeout_seconds
            and times == Settled(not_before=known.not_before, expires_at=known.expires_at)
        )
        if not same:
            raise Conflict(
                f"The task_id {known.task_id!r} was used before, for another task: choose a new one"
            )
        return _accepted(known)


def _accepted(task: TaskMessage) -> Accepted:
    return Accepted(
        task_id=task.task_id,
        priority=task.priority,
        submitted_at=task.submitted_at,
        not_before=task.not_before,
    )
