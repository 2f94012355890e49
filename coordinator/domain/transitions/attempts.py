"""Folds what agents say of an attempt: started, progressed, completed or failed; and that it was lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from coordinator.domain.task import IN_HAND, Runner, State, Task
from coordinator.protocol.messages.events import (
    CRASH_LOOP,
    Event,
    TaskCompleted,
    TaskFailed,
    TaskLost,
    TaskProgressed,
    TaskStarted,
)

from .deadline_pause import with_later_deadline
from .effects import Effect, Folded, Rules, cancel_on
from .ends_without_attempt import end_task
from .retries import LONGEST_SECONDS, retry_or_end

__all__ = [
    "ATTEMPT_LOST",
    "fold_completion",
    "fold_failure",
    "fold_loss",
    "fold_progress",
    "fold_start",
]

ATTEMPT_LOST = "AttemptLost"
"""The type of the error of an attempt that nobody works on any more, see `lost`."""


MAX_RUNNERS = 16
"""Agents remembered per task, to be told when it ends; the oldest are forgotten first."""


def fold_start(task: Task, event: Event, data: TaskStarted, _: Rules) -> Folded:
    """An attempt runs, unless it was given up before. Where the task has ended, the agent is told so."""
    runner = Runner(data.attempt, data.agent_id)
    again = runner in task.runners
    own_end = _ended_by(task, data.agent_id, data.attempt)
    task = _counted(task, data.agent_id, data.attempt, event.time)
    if own_end:
        return Folded(task)
    if task.ended:
        return Folded(task, (cancel_on(task, data.agent_id),))
    if data.attempt < task.attempt or data.attempt <= task.failed:
        return Folded(task)
    asked = task.question
    if asked is not None and runner == Runner(asked.attempt, asked.agent_id):
        return Folded(task)  # told late: it has asked something since
    return Folded(
        task._replace(
            state=State.RUNNING,
            attempt=data.attempt,
            agent_id=data.agent_id,
            started_at=event.time,
            ended_at=None,
            outcome=None,
            progress=task.progress if again else None,
            runners=_with_runner(task.runners, runner),
        )
    )


def fold_progress(task: Task, event: Event, data: TaskProgressed, rules: Rules) -> Folded:
    """Progress proves a start, should that be late or lost."""
    effects: tuple[Effect, ...] = ()
    runner = Runner(data.attempt, data.agent_id)
    if runner not in task.runners:
        started = TaskStarted(
            task_id=data.task_id,
            generation=data.generation,
            attempt=data.attempt,
            agent_id=data.agent_id,
        )
        folded = fold_start(task, event, started, rules)
        task, effects = folded.task, folded.effects
    if runner in task.runners and data.attempt == task.attempt:
        told = {"fraction": data.fraction, "message": data.message, "at": event.time.isoformat()}
        task = task._replace(progress=told)
    return Folded(task, effects)


def fold_completion(task: Task, event: Event, data: TaskCompleted, _: Rules) -> Folded:
    """Work done is done, also late, while no attempt of a later message is under way: that one is another
    agent's, and whoever had an earlier message ends nothing later.
    """
    if task.ended:
        return Folded(task)
    if _is_superseded(task, data):
        return Folded(_without_runner(task, data))
    task = _attempted(task, event, data)
    return end_task(task, event, State.COMPLETED, error=None)


def fold_failure(task: Task, event: Event, data: TaskFailed, rules: Rules) -> Folded:
    """An attempt has failed: another follows where ``rules`` and the task allow it, or the task is dead."""
    if task.ended or data.attempt < task.attempt or data.attempt <= task.failed:
        return Folded(_without_runner(task, data))
    error = data.error.model_dump(exclude_none=True) | {"retryable": data.retryable}
    if data.error.type == CRASH_LOOP.type and not data.retryable:
        # From an agent that did not start it: those that did are lost, and were counted.
        failures = task.failures + (1 if task.started >= data.attempt else 0)
        task = task._replace(
            attempt=data.attempt, failed=data.attempt, failures=failures, error=error
        )
        return retry_or_end(task, event.time, event.id, rules)
    task = _attempted(task, event, data)._replace(question=None)
    if data.retry_after_seconds is not None:
        error["retry_after_seconds"] = data.retry_after_seconds
    task = task._replace(failed=data.attempt, failures=task.failures + 1, error=error)
    return retry_or_end(task, event.time, event.id, rules)


def fold_loss(task: Task, event: Event, data: TaskLost, rules: Rules) -> Folded:
    """As a failure of the attempt, if it is still as it was seen. Whoever might work on it after all
    stays among the runners, to be told when the task ends.
    """
    if not (task.known or task.started or task.ended):
        task = _proved_start(task, event, data, rules)
    seen = (data.attempt, data.started_by, data.started_at)
    if task.state not in IN_HAND or seen != (task.attempt, task.agent_id, task.started_at):
        return Folded(task)
    error = {"type": ATTEMPT_LOST, "message": data.message, "retryable": True}
    task = with_later_deadline(task, event.time)._replace(
        failed=data.attempt, failures=task.failures + 1, error=error
    )
    return retry_or_end(task, event.time, event.id, rules)


def _proved_start(task: Task, event: Event, data: TaskLost, rules: Rules) -> Task:
    """Of a task that was forgotten meanwhile, say: who says that it was lost has seen it start."""
    started = TaskStarted(
        task_id=data.task_id,
        generation=data.generation,
        attempt=data.attempt,
        agent_id=data.started_by,
    )
    return fold_start(task, replace(event, time=data.started_at), started, rules).task


def _is_superseded(task: Task, data: TaskCompleted) -> bool:
    """Whether what runs is of a later message than the one whose token ``data`` had. A message that came back
    to its queue is one and the same for all who had it.
    """
    if task.state not in IN_HAND:
        return False
    delivered = data.attempt - (data.crashes or 0)
    given_up = delivered <= task.failed or delivered < task.published
    return given_up and delivered < task.attempt


def _without_runner(task: Task, data: TaskCompleted | TaskFailed) -> Task:
    gone = Runner(data.attempt, data.agent_id)
    return task._replace(runners=tuple(runner for runner in task.runners if runner != gone))


def _attempted(task: Task, event: Event, data: TaskCompleted | TaskFailed) -> Task:
    """Make the attempt that ended the current one; its end proves its start."""
    duration = timedelta(seconds=min(data.duration_seconds or 0.0, LONGEST_SECONDS))
    began = event.time - duration
    task = _counted(task, data.agent_id, data.attempt, began)
    same = task.attempt == data.attempt and task.agent_id in (None, data.agent_id)
    return _without_runner(task, data)._replace(
        attempt=data.attempt,
        agent_id=data.agent_id,
        started_at=(task.started_at if same else None) or began,
    )


def _counted(task: Task, agent_id: str, attempt: int, at: datetime) -> Task:
    """Count a start, once for each attempt and agent."""
    known = attempt <= task.started and (
        attempt < task.started
        or (task.attempt == attempt and task.agent_id == agent_id)
        or Runner(attempt, agent_id) in task.runners
    )
    if known:
        return task
    return task._replace(
        started=max(task.started, attempt),
        starts=task.starts + 1,
        first_started_at=task.first_started_at or at,
        runners=_with_runner(task.runners, Runner(attempt, agent_id)),
    )


def _ended_by(task: Task, agent_id: str, attempt: int) -> bool:
    """Whether this attempt's own end was folded before its start."""
    settled = task.state is State.COMPLETED or attempt <= task.failed
    return settled and task.attempt == attempt and task.agent_id == agent_id


def _with_runner(runners: tuple[Runner, ...], runner: Runner) -> tuple[Runner, ...]:
    if runner in runners:
        return runners
    return (*runners, runner)[-MAX_RUNNERS:]
