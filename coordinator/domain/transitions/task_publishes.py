"""Folds a task's own message as the log holds it: submitted, scheduled or published again."""

from __future__ import annotations

from datetime import datetime

from coordinator.domain.labels.task_labels import searchable
from coordinator.domain.task import State, Task
from coordinator.protocol.messages.events import Event, TaskDeadLettered, TaskSubmitted
from coordinator.protocol.messages.task_message import TaskMessage

from .dead_letters import fold_dead_letter
from .declines import is_known_to_be_declined, times_declined
from .effects import Folded, PublishAt, Rules
from .retries import retry_or_end

__all__ = ["LONGEST_TYPE", "fold_message"]

LONGEST_TYPE = 128
"""Characters kept of a task's type, to be searched for."""


def fold_message(
    task: Task, event: Event, data: TaskSubmitted | TaskDeadLettered, rules: Rules
) -> Folded:
    """A message of the task was published or dead-lettered. The first that is folded fills the task in."""
    folded = _filled_in(task, event.id, data.task, rules)
    if data.generation < task.generation:
        return folded
    if isinstance(data, TaskSubmitted):
        if data.task.not_before is not None:
            return _scheduled(folded, data.attempt, data.task.not_before)
        again = data.attempt > folded.task.failed  # what a retry would ask for is here already
        task = _published(folded.task, data.task)
        return Folded(task, () if again else folded.effects)
    after = fold_dead_letter(folded.task, event, data, rules)
    return Folded(after.task, folded.effects + after.effects)


def _filled_in(task: Task, event_id: str, message: TaskMessage, rules: Rules) -> Folded:
    """Take the content from the message, and decide what waited for it."""
    if message.generation > task.content:
        task = task._replace(
            content=message.generation,
            max_attempts=message.max_attempts + task.released,
            priority=message.priority,
            lane=message.source.lane,
            task_type=None if message.task_type is None else message.task_type[:LONGEST_TYPE],
            backoff=None if message.backoff is None else message.backoff.model_dump(),
            expires_at=message.expires_at,
            submitted_at=message.submitted_at,
            submission=event_id,
            submitted_by=message.submitted_by,
            group=message.group,
            tags=message.tags or (),
            metadata=searchable(message.metadata, rules.metadata_keys),
            callback=None if message.callback is None else message.callback.model_dump(),
            parent_id=message.parent_id,
            cancel_with_parent=message.cancel_with_parent,
        )
        if task.state is State.WAITING and task.ended_at is not None:
            return retry_or_end(task, task.ended_at, task.outcome, rules)
    elif message.generation == task.generation:
        if message.attempt > task.published:
            most = max(message.max_attempts, task.max_attempts or 0)  # questions allow more
            task = task._replace(max_attempts=most)
        if message.attempt >= task.published and message.source.lane != task.lane:
            task = task._replace(lane=message.source.lane)  # its type has one of its own since
    return Folded(task)


def _scheduled(folded: Folded, attempt: int, due: datetime) -> Folded:
    """Its time is to come: unless it has been on a queue already, it waits for that."""
    task = folded.task
    if task.ended or max(task.published, task.started, task.failed, task.settled) > 0:
        return folded
    if times_declined(task)[0]:
        return folded
    scheduled = PublishAt(
        task_id=task.task_id, generation=task.generation, attempt=attempt, due=due
    )
    return Folded(task._replace(state=State.SCHEDULED), (*folded.effects, scheduled))


def _published(task: Task, message: TaskMessage) -> Task:
    attempt = message.attempt
    if is_known_to_be_declined(task, attempt, message.republished or 0):
        return task  # told late of: it has left its queue again
    task = task._replace(published=max(task.published, attempt))
    if task.ended or attempt <= task.failed:
        return task
    if attempt > task.attempt or task.state in (State.SCHEDULED, State.WAITING):
        return task._replace(state=State.QUEUED, attempt=attempt, agent_id=None, started_at=None)
    return task
