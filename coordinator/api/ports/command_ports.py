"""Declares the ports through which endpoints act: submit, cancel, clear, redrive, schedule, register."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from coordinator.domain.dead_filter import DeadFilter
from coordinator.domain.idempotency_claim import Answered, IdempotencyClaim
from coordinator.domain.labels.task_labels import LabelFilter
from coordinator.protocol.messages.registration import RegisterRequest
from coordinator.protocol.priority import Priority
from coordinator.protocol.task_queue import TaskQueue
from coordinator.recovery.groups.group_canceller import GroupCancelled
from coordinator.recovery.questions.question_answerer import QuestionAnswered
from coordinator.recovery.task_canceller import Cancelled
from coordinator.recovery.task_redriver import Redriven, RedrivenMany
from coordinator.registry.stores.recurring_schedule import RecurringSchedule
from coordinator.registry.stores.schedule_edits import ScheduleEdit
from coordinator.submission.batch_submitter import Verdict
from coordinator.submission.idempotent_submission import Worked
from coordinator.submission.task_maker import Accepted, SubmitTask

__all__ = [
    "CancelsGroups",
    "CancelsTasks",
    "ClearsQueues",
    "CommandsAgents",
    "DeletesTasks",
    "KeepsSchedules",
    "RedrivesTasks",
    "SubmitsBatches",
    "SubmitsOnce",
    "SubmitsTasks",
]


class SubmitsTasks(Protocol):
    """Submits one task. `coordinator.submission.submitter.Submitter` fits."""

    async def submit(self, command: SubmitTask) -> Accepted:
        """Returns once the broker has the task on disk. Raises `InvalidRequest`, `TooManyLanes` or
        `PayloadTooLarge`; `Conflict` for an id that another task has; `BrokerUnavailable` where nothing
        was sent; `OutcomeUnknown` where the broker did not answer.
        """
        ...

    async def check(self, command: SubmitTask) -> None:
        """Raises what `submit` would raise whenever it is tried; submits nothing."""
        ...


class SubmitsBatches(Protocol):
    """Submits many tasks. `coordinator.submission.batch_submitter.BatchSubmitter` fits."""

    async def submit_all(self, commands: Sequence[SubmitTask]) -> Sequence[Verdict]:
        """One verdict for each, in order: it was accepted, or the error that `submit` would raise."""
        ...


class SubmitsOnce(Protocol):
    """Does the work of an Idempotency-Key once.
    `coordinator.submission.idempotent_submission.IdempotentSubmission` fits.
    """

    async def run(
        self, key: str, fingerprint: str, work: Callable[[IdempotencyClaim], Awaitable[Worked]]
    ) -> Answered:
        """Calls ``work`` with the claim of the key, unless its answer is kept: then answers that.
        ``fingerprint`` is the same for the same request. Raises `Conflict` for a key of another request,
        `KeyInUse` while another works under it, `LedgerUnavailable`, and what ``work`` raises.
        """
        ...


class ClearsQueues(Protocol):
    """Clears a priority. `coordinator.submission.queue_clearer.QueueClearer` fits."""

    async def clear(self, priority: Priority, *, by: str | None = None) -> int:
        """Ends every task that waits at the priority; how many. Raises `BrokerUnavailable` or
        `OutcomeUnknown`: a repetition goes on with the rest.
        """
        ...


class RetiresLanes(Protocol):
    """Retires a lane. `coordinator.recovery.queues.requested_retirement.RequestedRetirement` fits."""

    async def retire(self, lane: str) -> Sequence[TaskQueue]:
        """Gives up the lane; its queues, which are deleted soon. Raises `LaneNotFound`, `WrongState` where
        it has a task, or `Unavailable`.
        """
        ...


class CancelsTasks(Protocol):
    """Cancels one task. `coordinator.recovery.task_canceller.TaskCanceller` fits."""

    async def cancel(
        self, task_id: str, reason: str | None = None, *, by: str | None = None
    ) -> Cancelled:
        """Ends the task; ``reason`` is for people. Raises `TaskNotFound`, `WrongState` where it has
        ended, or `Unavailable`.
        """
        ...


class AnswersQuestions(Protocol):
    """Answers the question of one task. `coordinator.recovery.questions.question_answerer.QuestionAnswerer`
    fits.
    """

    async def answer(
        self, task_id: str, answer: Any, *, question_id: str | None = None, by: str | None = None
    ) -> QuestionAnswered:
        """Raises `TaskNotFound`, `InvalidRequest` for what is no answer to it, `WrongState` where there is
        nothing to answer, or `Unavailable`.
        """
        ...


class CancelsGroups(Protocol):
    """Cancels the tasks of a group. `coordinator.recovery.groups.group_canceller.GroupCanceller` fits."""

    async def cancel(
        self,
        wanted: LabelFilter,
        *,
        limit: int,
        own: str | None = None,
        reason: str | None = None,
        by: str | None = None,
    ) -> GroupCancelled:
        """Ends those that match and go on, at most ``limit``, of the submitter ``own`` alone where one is
        given. Raises `Unavailable`: a repetition goes on with the rest.
        """
        ...


class DeletesTasks(Protocol):
    """Deletes one ended task. `coordinator.registry.upkeep.requested_deletion.TaskDeletion` fits."""

    async def delete(self, task_id: str) -> None:
        """Raises `TaskNotFound`, `WrongState` where it has not ended, or `Unavailable`."""
        ...


class RedrivesTasks(Protocol):
    """Tries ended tasks again. `coordinator.recovery.task_redriver.TaskRedriver` fits."""

    async def redrive(
        self,
        task_id: str,
        *,
        task_data: dict[str, Any] | None = None,
        delay: timedelta = ...,
        by: str | None = None,
    ) -> Redriven:
        """Sends one task round again after ``delay``, by default at once, with ``task_data`` in place of
        its own. Raises `TaskNotFound`, `WrongState` where it has not ended, `MessageTooLarge` or
        `Unavailable`.
        """
        ...

    async def redrive_dead(
        self,
        wanted: DeadFilter,
        *,
        rate: float | None,
        limit: int,
        dry_run: bool = False,
        by: str | None = None,
    ) -> RedrivenMany:
        """Sends the dead tasks that match round again, at most ``limit``, ``rate`` in a second (None:
        all at once); only counts them with ``dry_run``. Raises `Unavailable`: a repetition goes on with
        the rest.
        """
        ...


class KeepsSchedules(Protocol):
    """Keeps recurring schedules. `coordinator.registry.stores.schedules.Schedules` fits.

    Everything raises `LedgerUnavailable`; what takes an id raises `ScheduleNotFound`.
    """

    async def create(self, schedule: RecurringSchedule, *, most: int = 0) -> RecurringSchedule:
        """With its first tick. Raises `InvalidRequest`, or `Conflict` where the id is taken;
        `TooManyRequests` where who makes it has ``most`` already, if that is not 0.
        """
        ...

    async def get(self, schedule_id: str) -> RecurringSchedule:
        """With its next tick and its last run."""
        ...

    async def page(self, after: str, limit: int) -> tuple[list[RecurringSchedule], bool]:
        """By id, those after the id ``after``, the empty string for the first page; and whether there are
        more. Fewer than ``limit`` where they are large.
        """
        ...

    async def pause(self, schedule_id: str) -> RecurringSchedule:
        """The schedule as it is then; its ticks pass without a run."""
        ...

    async def resume(self, schedule_id: str) -> RecurringSchedule:
        """Raises `WrongState` for one that cannot run any more."""
        ...

    async def edit(self, schedule_id: str, wanted: ScheduleEdit) -> RecurringSchedule:
        """As it is then. Raises `InvalidRequest`, or `WrongState` while a tick of it is being submitted."""
        ...

    async def delete(self, schedule_id: str) -> None:
        """Tasks that it has submitted stay."""
        ...


class CommandsAgents(Protocol):
    """Registers, drains and removes agents. `coordinator.registry.agents.registrar.Registrar` fits.

    Answers the instant at which it was done. What takes an id raises `AgentNotFound`, everything
    `InvalidRequest` for a value that is not known, and `Unavailable`.
    """

    async def register_over_http(
        self, request: RegisterRequest, *, by: str | None, most: int
    ) -> tuple[datetime, bool | None]:
        """And whether the agent has a control queue on the broker; None where that cannot be told now.
        Raises `TooManyRequests` where ``by`` has registered ``most`` others already, if that is not 0.
        """
        ...

    async def heartbeat(
        self, agent_id: str, *, status: str | None, load_metrics: dict[str, float] | None
    ) -> datetime:
        """Of an agent that speaks HTTP alone; ``status`` is declared where it is another."""
        ...

    async def set_status(
        self, agent_id: str, status: str, load_metrics: dict[str, float] | None
    ) -> datetime:
        """Declares ``status``."""
        ...

    async def drain(self, agent_id: str) -> tuple[datetime, bool]:
        """And whether the agent could be told over the broker."""
        ...

    async def remove(self, agent_id: str) -> None:
        """Takes it out of the registry."""
        ...
