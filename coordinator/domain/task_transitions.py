"""The law: how events change a task. A pure fold; the order of the log decides, clocks do not.

    scheduled ──▶ queued ──▶ running ──▶ completed
                   ▲  │       │ ├──▶ waiting ─▶ queued      an attempt failed or was lost
                   │  │       │ └──▶ dead                   attempts spent, crash loop, too large
                   └──┼───────┼────▶ cancelled              by request, or with its queue
                      └───────┴────▶ expired                its deadline passed before a start

The fence is (generation, attempt). An event of an older generation is only ever late. The agents
and the log are told of a task by two queues that commit on their own, so an agent's events may be
folded before the task's own message: they make a stub, and the message fills it in.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from coordinator.protocol.messages.events import (
    CRASH_LOOP,
    Event,
    TaskCancelled,
    TaskCompleted,
    TaskDeadLettered,
    TaskDeclined,
    TaskEvent,
    TaskExpired,
    TaskFailed,
    TaskLost,
    TaskProgressed,
    TaskStarted,
    TaskSubmitted,
    TaskTooLarge,
)
from coordinator.protocol.messages.task_message import Backoff, TaskMessage

from .retry_backoff import RetryBackoff
from .task import Runner, State, Task

__all__ = [
    "ATTEMPT_LOST",
    "CLEARED",
    "NO_HANDLER",
    "TOO_LARGE",
    "CancelOnAgent",
    "Effect",
    "Folded",
    "PublishAt",
    "Rules",
    "fold",
    "times_declined",
]

CLEARED = "cleared"
"""The reason of a cancellation with the queue: it ends what waits there, nothing that goes on."""

ATTEMPT_LOST = "AttemptLost"
"""The type of the error of an attempt that nobody works on any more, see `lost`."""

LONGEST_TYPE = 128
"""Characters kept of a task's type, to be searched for."""

MAX_RUNNERS = 16
"""Agents remembered per task, to be told when it ends; the oldest are forgotten first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOnAgent:
    """Have this agent stop working on the task."""

    agent_id: str
    task_id: str
    generation: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishAt:
    """Have this attempt put on its queue when it is due."""

    task_id: str
    generation: int
    attempt: int
    due: datetime


Effect = CancelOnAgent | PublishAt


@dataclass(frozen=True, slots=True)
class Folded:
    """What became of the task, and what is to be done about it once that is stored."""

    task: Task
    effects: tuple[Effect, ...] = ()


_RETRY = RetryBackoff()

_DECLINED = RetryBackoff(first=timedelta(seconds=1), longest=timedelta(minutes=5))
"""The pause before a task is offered again that an agent gave back, because it does not know its type."""

TOO_LARGE = "MessageTooLarge"
"""The type of the error of a task that the broker does not take any more, as a submission is told."""

NO_HANDLER = "NoHandler"
"""The type of the error of a task that was given back so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the law takes from outside when an attempt may be followed by another."""

    now: datetime
    """The coordinator's, because pauses are counted from when a failure became known."""
    retry: RetryBackoff = _RETRY
    declined: RetryBackoff = _DECLINED


NO_RETRY_TIME = Rules(now=datetime(1970, 1, 1, tzinfo=UTC))
"""For folds whose effects nobody looks at."""


def fold(task: Task | None, event: Event, rules: Rules = NO_RETRY_TIME) -> Folded:
    """Apply one event to the task that it is about; ``task`` is None for one not seen before.

    The caller applies each event once: what has the same id is dropped before it comes here.
    """
    data = event.data
    if not isinstance(data, TaskEvent):
        raise TypeError(f"not an event of a task: {event.type}")
    if task is None:
        task = Task(task_id=data.task_id, generation=data.generation, attempt=data.attempt)
    elif data.generation > task.generation:
        if isinstance(data, TaskStarted | TaskProgressed | TaskLost | TaskTooLarge):
            return Folded(task)  # no token vouches for it: it may not reopen anything
        task = _reopened(task, data)
    if isinstance(data, TaskSubmitted | TaskDeadLettered):
        return _told_by_message(task, event, data, rules)
    if data.generation < task.generation:
        return _late(task, data)
    return _FOLDS[type(data)](task, event, data, rules)


# --- the task's own messages ------------------------------------------------------------------


def _told_by_message(
    task: Task, event: Event, data: TaskSubmitted | TaskDeadLettered, rules: Rules
) -> Folded:
    folded = _filled_in(task, event.id, data.task, rules)
    if data.generation < task.generation:
        return folded
    if isinstance(data, TaskSubmitted):
        if data.task.not_before is not None:
            return _scheduled(folded, data.attempt, data.task.not_before)
        again = data.attempt > folded.task.failed  # what a retry would ask for is here already
        task = _published(folded.task, data.task)
        return Folded(task, () if again else folded.effects)
    after = _dead_lettered(folded.task, event, data, rules)
    return Folded(after.task, folded.effects + after.effects)


def _filled_in(task: Task, event_id: str, message: TaskMessage, rules: Rules) -> Folded:
    """Take the content from the message, and decide what waited for it."""
    if message.generation > task.content:
        task = task._replace(
            content=message.generation,
            max_attempts=message.max_attempts,
            priority=message.priority,
            lane=message.source.lane,
            task_type=None if message.task_type is None else message.task_type[:LONGEST_TYPE],
            backoff=None if message.backoff is None else message.backoff.model_dump(),
            expires_at=message.expires_at,
            submitted_at=message.submitted_at,
            submission=event_id,
        )
        if task.state is State.WAITING and task.ended_at is not None:
            return _decided(task, task.ended_at, task.outcome, rules)
    elif message.generation == task.generation:
        if message.attempt > task.published:
            task = task._replace(max_attempts=message.max_attempts)
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
    if _is_known_to_be_declined(task, attempt, message.republished or 0):
        return task  # told late of: it has left its queue again
    task = task._replace(published=max(task.published, attempt))
    if task.ended or attempt <= task.failed:
        return task
    if attempt > task.attempt or task.state in (State.SCHEDULED, State.WAITING):
        return task._replace(state=State.QUEUED, attempt=attempt, agent_id=None, started_at=None)
    return task


def _dead_lettered(task: Task, event: Event, data: TaskDeadLettered, rules: Rules) -> Folded:
    """The broker's word on the message: of the current one it is final, of an older one late."""
    if data.attempt < task.published:
        return Folded(task)
    attempt = max(task.attempt, data.attempt)
    task = task._replace(published=data.attempt, settled=data.attempt)
    if task.ended:
        return Folded(task)
    rejected_late = task.expires_at is not None and task.expires_at <= event.time
    if data.reason == "expired" or (data.reason == "rejected" and rejected_late):
        return _ended(task, event, State.EXPIRED, error=_EXPIRED)
    if attempt <= task.failed:
        return Folded(task)
    return _given_up(task, attempt, event, data.reason, rules)


def _given_up(task: Task, attempt: int, event: Event, reason: str, rules: Rules) -> Folded:
    """The message of an attempt is gone, and nobody has told how that ended."""
    if reason == "rejected" and _taken_for_expired(task, attempt, event.time):
        return _not_counted(task, attempt, event, rules)
    failures = task.failures + (1 if task.started >= attempt else 0)
    task = task._replace(attempt=attempt, failed=attempt, failures=failures)
    if reason == "delivery_limit":
        return _ended(task, event, State.DEAD, error=_CRASH_LOOP)
    return _decided(task._replace(error=_REJECTED), event.time, event.id, rules)


def _taken_for_expired(task: Task, attempt: int, now: datetime) -> bool:
    """Whether an agent may have rejected the task for its deadline, by a clock that is ahead: before
    anybody has started it, and with the deadline to come by the coordinator's clock.
    """
    if task.expires_at is None or task.started >= attempt:
        return False
    return now < task.expires_at <= now + _WRONGEST_CLOCK


def _not_counted(task: Task, attempt: int, event: Event, rules: Rules) -> Folded:
    """The next attempt follows for it, and is allowed one more; the deadline ends that in any case."""
    allowed = max(task.max_attempts or 0, attempt) + 1
    task = task._replace(attempt=attempt, failed=attempt, max_attempts=allowed, error=_TOO_EARLY)
    folded = _decided(task, event.time, event.id, rules)
    effects = tuple(_not_at_once(effect, rules.now) for effect in folded.effects)
    return Folded(folded.task, effects)


def _not_at_once(effect: Effect, now: datetime) -> Effect:
    """The same agent may take it again, with the same clock."""
    if not isinstance(effect, PublishAt):
        return effect
    return replace(effect, due=max(effect.due, now + _BEFORE_ANOTHER_LOOK))


_WRONGEST_CLOCK = timedelta(days=1)
"""A rejection so long before the deadline has another reason."""
_BEFORE_ANOTHER_LOOK = timedelta(seconds=1)
_TOO_EARLY: dict[str, Any] = {
    "type": "RejectedTooEarly",
    "message": (
        "An agent rejected the task as if its deadline had passed, which it has not: its clock is ahead."
        " It does not count as a failure."
    ),
    "retryable": True,
}
_REJECTED: dict[str, Any] = {
    "type": "Rejected",
    "message": "The agent rejected the task without saying why.",
    "retryable": True,
}
_CRASH_LOOP: dict[str, Any] = CRASH_LOOP.model_dump(exclude_none=True) | {"retryable": False}
_EXPIRED: dict[str, Any] = {
    "type": "Expired",
    "message": "The deadline passed before an attempt started.",
    "retryable": False,
}


# --- what agents say --------------------------------------------------------------------------


def _started(task: Task, event: Event, data: TaskStarted, _: Rules) -> Folded:
    runner = Runner(data.attempt, data.agent_id)
    again = runner in task.runners
    own_end = _ended_by(task, data.agent_id, data.attempt)
    task = _counted(task, data.agent_id, data.attempt, event.time)
    if own_end:
        return Folded(task)
    if task.ended:
        return Folded(task, (_cancel(task, data.agent_id),))
    if data.attempt < task.attempt or data.attempt <= task.failed:
        return Folded(task)
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


def _progressed(task: Task, event: Event, data: TaskProgressed, rules: Rules) -> Folded:
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
        task, effects = _parts(_started(task, event, started, rules))
    if runner in task.runners and data.attempt == task.attempt:
        told = {"fraction": data.fraction, "message": data.message, "at": event.time.isoformat()}
        task = task._replace(progress=told)
    return Folded(task, effects)


def _given_back(task: Task, _event: Event, data: TaskDeclined, rules: Rules) -> Folded:
    """No attempt: the same one is put on its queue again, later each time that nobody knows it."""
    if task.ended or data.attempt < task.attempt or data.attempt <= task.failed:
        return Folded(task)
    if _is_known_to_be_declined(task, data.attempt, data.republished):
        return Folded(task)
    declined = times_declined(task)[0] + 1
    gone = Runner(data.attempt, data.agent_id)
    task = task._replace(
        state=State.WAITING,
        attempt=data.attempt,
        published=min(task.published, data.attempt - 1),
        agent_id=None,
        started_at=None,
        runners=tuple(runner for runner in task.runners if runner != gone),
        error={
            "type": NO_HANDLER,
            "message": f"The agent {data.agent_id!r} has no handler for tasks of the type"
            f" {data.task_type!r} and gave it back.",
            "retryable": True,
            "declined": declined,
            "republished": data.republished,
        },
    )
    again = PublishAt(
        task_id=task.task_id,
        generation=task.generation,
        attempt=data.attempt,
        due=rules.now + rules.declined.pause(declined, jitter=_jitter(task)),
    )
    return Folded(task, (again,))


def times_declined(task: Task) -> tuple[int, int]:
    """How often agents gave this attempt back, and the number of the message that was given back last."""
    error = task.error or {}
    if task.failed >= task.attempt or error.get("type") != NO_HANDLER:
        return 0, 0
    return int(error.get("declined", 0)), int(error.get("republished", 0))


def _is_known_to_be_declined(task: Task, attempt: int, republished: int) -> bool:
    """Whether this message was given back, and none after it is known to be on a queue."""
    times, number = times_declined(task)
    if not times or task.state is not State.WAITING:
        return False
    return (attempt, republished) <= (task.attempt, number)


def _completed(task: Task, event: Event, data: TaskCompleted, _: Rules) -> Folded:
    """Work done is done, whichever attempt did it."""
    if task.ended:
        return Folded(task)
    task = _attempted(task, event, data)
    return _ended(task, event, State.COMPLETED, error=None)


def _failed(task: Task, event: Event, data: TaskFailed, rules: Rules) -> Folded:
    if task.ended or data.attempt < task.attempt or data.attempt <= task.failed:
        gone = Runner(data.attempt, data.agent_id)
        return Folded(task._replace(runners=tuple(r for r in task.runners if r != gone)))
    error = data.error.model_dump(exclude_none=True) | {"retryable": data.retryable}
    if data.error.type == CRASH_LOOP.type and not data.retryable:
        # From an agent that did not start it: those that did are lost, and were counted.
        failures = task.failures + (1 if task.started >= data.attempt else 0)
        task = task._replace(
            attempt=data.attempt, failed=data.attempt, failures=failures, error=error
        )
        return _decided(task, event.time, event.id, rules)
    task = _attempted(task, event, data)
    if data.retry_after_seconds is not None:
        error["retry_after_seconds"] = data.retry_after_seconds
    task = task._replace(failed=data.attempt, failures=task.failures + 1, error=error)
    return _decided(task, event.time, event.id, rules)


def _attempted(task: Task, event: Event, data: TaskCompleted | TaskFailed) -> Task:
    """Make the attempt that ended the current one; its end proves its start."""
    duration = timedelta(seconds=min(data.duration_seconds or 0.0, _LONGEST_SECONDS))
    began = event.time - duration
    task = _counted(task, data.agent_id, data.attempt, began)
    same = task.attempt == data.attempt and task.agent_id in (None, data.agent_id)
    ended = Runner(data.attempt, data.agent_id)
    return task._replace(
        attempt=data.attempt,
        agent_id=data.agent_id,
        started_at=(task.started_at if same else None) or began,
        runners=tuple(runner for runner in task.runners if runner != ended),
    )


_LONGEST_SECONDS = 366 * 86400.0
"""A longer duration is nonsense, and might leave the calendar."""


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


# --- what a coordinator says ------------------------------------------------------------------


def _cancelled(task: Task, event: Event, data: TaskCancelled, _: Rules) -> Folded:
    if data.reason == CLEARED and data.attempt >= task.published:
        task = task._replace(settled=max(task.settled, data.attempt))
    if task.ended or (data.reason == CLEARED and data.attempt < task.attempt):
        return Folded(task)
    error = {"type": "Cancelled", "message": data.message or data.reason, "retryable": False}
    return _ended(task, event, State.CANCELLED, error=error)


def _expired(task: Task, event: Event, _data: TaskExpired, _: Rules) -> Folded:
    if task.ended or task.state is State.RUNNING:
        return Folded(task)
    return _ended(task, event, State.EXPIRED, error=_EXPIRED)


def _lost(task: Task, event: Event, data: TaskLost, rules: Rules) -> Folded:
    """As a failure of the attempt, if it is still as it was seen. Whoever might work on it after all
    stays among the runners, to be told when the task ends.
    """
    if not (task.known or task.started or task.ended):
        task = _proved_start(task, event, data, rules)
    seen = (data.attempt, data.started_by, data.started_at)
    if task.state is not State.RUNNING or seen != (task.attempt, task.agent_id, task.started_at):
        return Folded(task)
    error = {"type": ATTEMPT_LOST, "message": data.message, "retryable": True}
    task = task._replace(failed=data.attempt, failures=task.failures + 1, error=error)
    return _decided(task, event.time, event.id, rules)


def _proved_start(task: Task, event: Event, data: TaskLost, rules: Rules) -> Task:
    """Of a task that was forgotten meanwhile, say: who says that it was lost has seen it start."""
    started = TaskStarted(
        task_id=data.task_id,
        generation=data.generation,
        attempt=data.attempt,
        agent_id=data.started_by,
    )
    return _started(task, replace(event, time=data.started_at), started, rules).task


def _too_large(task: Task, event: Event, data: TaskTooLarge, _: Rules) -> Folded:
    """No attempt was made. What an agent has in hand has found its way to the queue after all."""
    overtaken = data.attempt < task.attempt or data.attempt <= task.failed
    if task.ended or overtaken or task.state is State.RUNNING:
        return Folded(task)
    error = {"type": TOO_LARGE, "message": data.message, "retryable": False}
    return _ended(task, event, State.DEAD, error=error)


# --- ends -------------------------------------------------------------------------------------


def _decided(task: Task, failed_at: datetime, event_id: str | None, rules: Rules) -> Folded:
    """An attempt failed: another one, or the end; undecided until `max_attempts` is known."""
    waiting = task._replace(state=State.WAITING, ended_at=failed_at, outcome=event_id)
    error = task.error or {}
    hopeless = not error.get("retryable", True)
    if task.max_attempts is None and not hopeless:
        return Folded(waiting)
    if hopeless or task.failed >= (task.max_attempts or 0):
        dead = waiting._replace(state=State.DEAD, runners=())
        return Folded(dead, _cancel_all(dead, task.runners))
    asked = error.get("retry_after_seconds")
    pause = _policy(task, rules.retry).pause(
        task.failed,
        jitter=_jitter(task),
        asked=None if asked is None else _duration(asked),
    )
    again = PublishAt(
        task_id=task.task_id,
        generation=task.generation,
        attempt=task.failed + 1,
        due=rules.now + pause,
    )
    return Folded(waiting._replace(ended_at=None, outcome=None), (again,))


def _policy(task: Task, usual: RetryBackoff) -> RetryBackoff:
    given = task.backoff
    if given is None:
        return usual
    first, factor, longest = (given.get(name) for name in Backoff.model_fields)
    return replace(
        usual,
        first=usual.first if first is None else _duration(first),
        factor=usual.factor if factor is None else factor,
        longest=usual.longest if longest is None else _duration(longest),
    )


def _duration(seconds: float) -> timedelta:
    return timedelta(seconds=min(seconds, _LONGEST_SECONDS))


def _jitter(task: Task) -> float:
    """From 0 to 1, different for each attempt, and the same whenever it is folded again."""
    fence = f"{task.task_id}.{task.generation}.{task.failed}".encode("utf-8", "replace")
    return zlib.crc32(fence) / 2**32


def _ended(task: Task, event: Event, state: State, *, error: dict[str, Any] | None) -> Folded:
    """End the task, and stop every other agent that works on it."""
    ended = task._replace(
        state=state, ended_at=event.time, outcome=event.id, error=error, runners=()
    )
    return Folded(ended, _cancel_all(ended, task.runners))


def _ended_by(task: Task, agent_id: str, attempt: int) -> bool:
    """Whether this attempt's own end was folded before its start."""
    settled = task.state is State.COMPLETED or attempt <= task.failed
    return settled and task.attempt == attempt and task.agent_id == agent_id


def _late(task: Task, data: TaskEvent) -> Folded:
    if isinstance(data, TaskStarted | TaskProgressed):
        cancel = CancelOnAgent(
            agent_id=data.agent_id,
            task_id=task.task_id,
            generation=data.generation,
            reason="superseded",
        )
        return Folded(task, (cancel,))
    return Folded(task)


def _reopened(task: Task, data: TaskEvent) -> Task:
    """A person redrove the task: a new generation, and the end of the old one no longer counts."""
    return Task(
        task_id=task.task_id,
        generation=data.generation,
        attempt=data.attempt,
        content=task.content,
        max_attempts=task.max_attempts,
        priority=task.priority,
        lane=task.lane,
        task_type=task.task_type,
        backoff=task.backoff,
        expires_at=task.expires_at,
        submitted_at=task.submitted_at,
        submission=task.submission,
        first_started_at=task.first_started_at,
        starts=task.starts,
        failures=task.failures,
    )


def _cancel(task: Task, agent_id: str) -> CancelOnAgent:
    return CancelOnAgent(
        agent_id=agent_id,
        task_id=task.task_id,
        generation=task.generation,
        reason=task.state.value,
    )


def _cancel_all(task: Task, runners: Iterable[Runner]) -> tuple[Effect, ...]:
    agents = dict.fromkeys(runner.agent_id for runner in runners)
    return tuple(_cancel(task, agent_id) for agent_id in agents)


def _with_runner(runners: tuple[Runner, ...], runner: Runner) -> tuple[Runner, ...]:
    if runner in runners:
        return runners
    return (*runners, runner)[-MAX_RUNNERS:]


def _parts(folded: Folded) -> tuple[Task, tuple[Effect, ...]]:
    return folded.task, folded.effects


_FOLDS: dict[type[TaskEvent], Callable[[Task, Event, Any, Rules], Folded]] = {
    TaskStarted: _started,
    TaskDeclined: _given_back,
    TaskProgressed: _progressed,
    TaskCompleted: _completed,
    TaskFailed: _failed,
    TaskCancelled: _cancelled,
    TaskExpired: _expired,
    TaskLost: _lost,
    TaskTooLarge: _too_large,
}
