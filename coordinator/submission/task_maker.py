"""Makes the task of a request, and tells whether two requests ask for the same one. No I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from coordinator.domain.announced_types import AnnouncedTypes
from coordinator.errors import Conflict, InvalidRequest
from coordinator.protocol.id_limits import TASK_WORDS, check_path_id
from coordinator.protocol.ids import new_id
from coordinator.protocol.messages.new_task import NewTask
from coordinator.protocol.messages.task_message import Callback, TaskMessage, task_type_of
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import NO_REQUIREMENTS, Requirements
from coordinator.protocol.task_token import task_token
from coordinator.protocol.trace_context import TraceContext

from .ports import ChecksCallbacks
from .request_limits import (
    RequestLimits,
    check_data,
    check_group,
    check_requirements,
    check_tags,
    check_timeout,
)
from .task_options import NO_OPTIONS, Settled, TaskOptions, check_options, settled

__all__ = ["Accepted", "SubmitTask", "TaskMaker"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitTask:
    """Asks for a task to be done. The types of its values are checked already, the values are not."""

    task_data: dict[str, Any]
    """`task_id` in it, where there is one, becomes the task's id."""
    priority: Priority = Priority.NORMAL
    requirements: Requirements = NO_REQUIREMENTS
    timeout_seconds: float | None = None
    options: TaskOptions = NO_OPTIONS
    metadata: dict[str, Any] | None = None
    callback: Callback | None = None
    trace: TraceContext | None = None
    """That of the request."""
    submitted_by: str | None = None
    """Who asks, where that is known: see `access.principal`."""
    group: str | None = None
    """As the producer named it."""
    batch: str | None = None
    """The group of its batch, for a task that names none: a repetition may come in another batch."""
    tags: tuple[str, ...] = ()
    """Sorted, and each once."""
    task_id: str | None = None
    """The task's id where the data has none; None makes a new one."""
    parent_id: str | None = None
    """The task whose handler asks."""
    cancel_with_parent: int | None = None
    """The generation of it with which the task is to be cancelled."""
    repeated: bool = False
    """It may have been accepted before, by any coordinator, though that was not answered."""

    @property
    def task_type(self) -> str | None:
        """Which handler is needed: `task_data.task_type`, where it is a string."""
        return task_type_of(self.task_data)

    @property
    def own_id(self) -> object:
        """The id that the producer chose, unchecked; None for none."""
        return self.task_data.get("task_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """Tells that the broker has the task."""

    task_id: str
    priority: Priority
    submitted_at: datetime
    not_before: datetime | None = None
    """Where it is scheduled: when it goes on its queue."""
    group: str | None = None
    """That it is of, as it was submitted first."""

    @classmethod
    def of(cls, task: NewTask | TaskMessage) -> Accepted:
        """The answer about a task."""
        return cls(
            task_id=task.task_id,
            priority=task.priority,
            submitted_at=task.submitted_at,
            not_before=task.not_before,
            group=task.group,
        )


class TaskMaker:
    """Checks commands and makes tasks of them. ``secret`` is the key of the tokens by which agents prove that
    they were given a task; ``types`` are those that agents have announced; ``callbacks`` refuses those that
    could never be told, and is None where none are sent.
    """

    def __init__(
        self,
        *,
        secret: bytes,
        types: AnnouncedTypes,
        callbacks: ChecksCallbacks | None = None,
        limits: RequestLimits = RequestLimits(),  # noqa: B008 - frozen
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        make_id: Callable[[], str] = new_id,
    ) -> None:
        self._secret = secret
        self._types = types
        self._callbacks = callbacks
        self._limits = limits
        self._now = now
        self._make_id = make_id

    def check(self, command: SubmitTask) -> str:
        """Check the values, and return the id that the task will have. Raises `InvalidRequest`."""
        check_data(command.task_data, "task_data", self._limits)
        if command.metadata is not None:
            check_data(command.metadata, "metadata", self._limits)
        check_requirements(command.requirements, self._limits)
        check_timeout(command.timeout_seconds, self._limits)
        check_options(command.options, self._limits)
        if command.group is not None:
            check_group(command.group)
        if command.tags:
            check_tags(command.tags)
        if command.callback is not None:
            self._check_callback(command.callback)
        if command.own_id is None:
            return command.task_id or self._make_id()
        return check_path_id(
            command.own_id, "task_data.task_id", field="task_data.task_id", words=TASK_WORDS
        )

    def _check_callback(self, callback: Callback) -> None:
        if self._callbacks is None:
            raise InvalidRequest("callback: this service sends none", field="callback")
        self._callbacks.check(callback)

    def task(self, command: SubmitTask, task_id: str) -> NewTask:
        """The task as of now. Raises `InvalidRequest` where its deadline has passed."""
        now = self._now()
        options, trace = command.options, command.trace
        times = settled(options, now, self._limits)
        return NewTask(
            task_id=task_id,
            max_attempts=options.max_attempts or self._limits.default_max_attempts,
            task_data=command.task_data,
            priority=command.priority,
            wanted=self._types.routed(command.requirements, command.task_type),
            submitted_at=now,
            task_token=task_token(self._secret, task_id, 1, 1),
            backoff=options.backoff,
            timeout_seconds=command.timeout_seconds,
            progress_timeout_seconds=options.progress_timeout_seconds,
            not_before=times.not_before,
            expires_at=times.expires_at,
            metadata=command.metadata,
            callback=command.callback,
            traceparent=None if trace is None else trace.traceparent,
            tracestate=None if trace is None else trace.tracestate,
            submitted_by=command.submitted_by,
            group=command.group or command.batch,
            tags=command.tags or None,
            parent_id=command.parent_id,
            cancel_with_parent=command.cancel_with_parent,
        )

    def answer_again(self, command: SubmitTask, known: NewTask | TaskMessage) -> Accepted:
        """As the first time, if the task is the same; otherwise raises `Conflict`. A deadline or a
        delay in seconds counts from when the task was submitted first.
        """
        options = command.options
        same = (
            _work(command.task_data) == _work(known.task_data)
            and command.priority == known.priority
            and command.requirements == known.wanted.asked
            and command.timeout_seconds == known.timeout_seconds
            and options.max_attempts in (None, known.max_attempts)
            and options.backoff == known.backoff
            and command.callback == known.callback
            and options.progress_timeout_seconds == known.progress_timeout_seconds
            and settled(options, known.submitted_at, self._limits)
            == Settled(not_before=known.not_before, expires_at=known.expires_at)
            and (
                None in (command.submitted_by, known.submitted_by)
                or command.submitted_by == known.submitted_by
            )
            and command.group in (None, known.group)
            and command.tags in ((), known.tags)
            and command.parent_id == known.parent_id
            and command.cancel_with_parent == known.cancel_with_parent
        )
        if not same:
            raise Conflict(
                f"The task_id {known.task_id!r} was used before, for another task: choose a new one"
            )
        return Accepted.of(known)


def _work(task_data: dict[str, Any]) -> dict[str, Any]:
    """Without the id: who was answered "unknown" is told one, to be submitted again with."""
    return {name: value for name, value in task_data.items() if name != "task_id"}
