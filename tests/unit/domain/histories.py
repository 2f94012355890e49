"""Events of tasks, as tests make them up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from coordinator.domain.task import Task
from coordinator.domain.transitions.effects import Rules
from coordinator.domain.transitions.fold import fold
from coordinator.protocol.json_values.json_digest import json_digest
from coordinator.protocol.messages.events import (
    AttemptError,
    DeadLetterReason,
    Event,
    TaskAnswered,
    TaskAsked,
    TaskCancelled,
    TaskCompleted,
    TaskDeadLettered,
    TaskDeclined,
    TaskEvent,
    TaskExpired,
    TaskFailed,
    TaskLost,
    TaskProgressed,
    TaskResumed,
    TaskStarted,
    TaskSubmitted,
    TaskTooLarge,
)
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.priority import Priority

START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
RULES = Rules(now=START)
MAX_ATTEMPTS = 3
AGENTS = ("ada", "bob")


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def message(task_id: str = "t", generation: int = 1, attempt: int = 1, **more: Any) -> TaskMessage:
    given: dict[str, Any] = {
        "task_id": task_id,
        "generation": generation,
        "attempt": attempt,
        "max_attempts": MAX_ATTEMPTS,
        "task_data": {"task_type": "no-op", "nothing": None},
        "priority": Priority.NORMAL,
        "submitted_at": START,
        "task_token": "token",
    }
    return TaskMessage(**(given | more))


def submitted(task_id: str = "t", generation: int = 1, attempt: int = 1, **more: Any) -> Event:
    task = message(task_id, generation, attempt, **more)
    data = TaskSubmitted(task_id=task_id, generation=generation, attempt=attempt, task=task)
    return Event(id=task.message_id, time=task.submitted_at, data=data)


def dead_lettered(
    reason: DeadLetterReason, attempt: int = 1, seconds: float = 9, **more: Any
) -> Event:
    task = message(attempt=attempt, **more)
    data = TaskDeadLettered(
        task_id=task.task_id,
        generation=task.generation,
        attempt=attempt,
        reason=reason,
        task=task,
    )
    return Event(id=f"{task.message_id}.{reason}", time=at(seconds), data=data)


def started(agent_id: str = "ada", attempt: int = 1, seconds: float = 1, **more: Any) -> Event:
    return _event(TaskStarted, seconds, agent_id=agent_id, attempt=attempt, **more)


def progressed(fraction: float, agent_id: str = "ada", seconds: float = 2, **more: Any) -> Event:
    return _event(TaskProgressed, seconds, agent_id=agent_id, fraction=fraction, **more)


def completed(agent_id: str = "ada", attempt: int = 1, seconds: float = 3, **more: Any) -> Event:
    more = {"task_token": "token", "result": {"done": True}} | more
    return _event(TaskCompleted, seconds, agent_id=agent_id, attempt=attempt, **more)


def failed(agent_id: str = "ada", attempt: int = 1, seconds: float = 3, **more: Any) -> Event:
    error = AttemptError(type="ValueError", message="no")
    more = {"task_token": "token", "error": error} | more
    return _event(TaskFailed, seconds, agent_id=agent_id, attempt=attempt, **more)


def declined(agent_id: str = "ada", attempt: int = 1, seconds: float = 1, **more: Any) -> Event:
    more = {"task_token": "token", "task_type": "no-op"} | more
    return _event(TaskDeclined, seconds, agent_id=agent_id, attempt=attempt, **more)


def asked(
    question: Any = "go on?",
    agent_id: str = "ada",
    attempt: int = 1,
    seconds: float = 2,
    **more: Any,
) -> Event:
    more = {"question_id": "1", "question": question} | more
    return _event(TaskAsked, seconds, agent_id=agent_id, attempt=attempt, **more)


def resumed(agent_id: str = "ada", attempt: int = 1, seconds: float = 3, **more: Any) -> Event:
    more = {"question_id": "1"} | more
    return _event(TaskResumed, seconds, agent_id=agent_id, attempt=attempt, **more)


def answered(
    answer: Any = "yes", question: Any = "go on?", seconds: float = 10, **more: Any
) -> Event:
    more = {"question_id": "1", "question_digest": json_digest(question), "answer": answer} | more
    return _event(TaskAnswered, seconds, **more)


def cancelled(reason: str = "requested", seconds: float = 4, **more: Any) -> Event:
    return _event(TaskCancelled, seconds, reason=reason, **more)


def expired(seconds: float = 5, **more: Any) -> Event:
    return _event(TaskExpired, seconds, **more)


def lost(
    agent_id: str = "ada", attempt: int = 1, began: float = 1, seconds: float = 8, **more: Any
) -> Event:
    """Of the attempt that the agent started so many seconds after the first submission."""
    given: dict[str, Any] = {
        "started_by": agent_id,
        "started_at": at(began),
        "reason": "not-named",
        "message": "nobody runs it",
    }
    return _event(TaskLost, seconds, attempt=attempt, **(given | more))


def too_large(seconds: float = 6, **more: Any) -> Event:
    given: dict[str, Any] = {"size": 3000, "limit": 2000, "message": "store it elsewhere"}
    return _event(TaskTooLarge, seconds, **(given | more))


def folded(*events: Event, onto: Task | None = None) -> Task:
    task = onto
    for event in events:
        task = fold(task, event, RULES).task
    assert task is not None
    return task


def _event(kind: type[TaskEvent], seconds: float, **data: Any) -> Event:
    return Event(time=at(seconds), data=kind(**({"task_id": "t"} | data)))


# --- for hypothesis ---------------------------------------------------------------------------

_agents = st.sampled_from(AGENTS)
_attempts = st.integers(1, MAX_ATTEMPTS)
_seconds = st.integers(-5, 50)


def agents_events(task_ids: st.SearchStrategy[str]) -> st.SearchStrategy[Event]:
    """What agents say, within the attempts that a task has."""
    common = {
        "agent_id": _agents,
        "attempt": _attempts,
        "seconds": _seconds,
        "task_id": task_ids,
    }
    return st.one_of(
        st.builds(started, **common),
        st.builds(progressed, st.sampled_from([0.1, 0.5]), **common),
        st.builds(completed, **common),
        st.builds(failed, retryable=st.booleans(), **common),
    )


def coordinators_events(task_ids: st.SearchStrategy[str]) -> st.SearchStrategy[Event]:
    """What a coordinator says, of tasks that it knows."""
    return st.one_of(
        st.builds(cancelled, st.sampled_from(["requested", "cleared"]), task_id=task_ids),
        st.builds(expired, task_id=task_ids),
        st.builds(lost, _agents, _attempts, _seconds, task_id=task_ids),
        st.builds(too_large, attempt=_attempts, task_id=task_ids),
    )


def brokers_events(task_ids: st.SearchStrategy[str]) -> st.SearchStrategy[Event]:
    reasons = st.sampled_from(["rejected", "delivery_limit", "expired"])
    return st.builds(dead_lettered, reasons, task_id=task_ids)


def declines(task_ids: st.SearchStrategy[str]) -> st.SearchStrategy[Event]:
    """What agents say that were given a task which they do not know."""
    return st.builds(
        declined,
        agent_id=_agents,
        attempt=_attempts,
        seconds=_seconds,
        task_id=task_ids,
        republished=st.integers(0, 2),
    )


def questions(task_ids: st.SearchStrategy[str]) -> st.SearchStrategy[Event]:
    """What attempts ask people, and what these answer."""
    what = st.sampled_from(["go on?", "really?"])
    common = {"attempt": _attempts, "seconds": _seconds, "task_id": task_ids}
    return st.one_of(
        st.builds(asked, what, _agents, release=st.booleans(), **common),
        st.builds(resumed, _agents, **common),
        st.builds(answered, st.just("yes"), what, timed_out=st.booleans(), **common),
    )


def all_events(task_ids: st.SearchStrategy[str]) -> st.SearchStrategy[Event]:
    return st.one_of(
        st.builds(submitted, task_ids, generation=st.integers(1, 2), attempt=_attempts),
        st.builds(submitted, task_ids, not_before=st.just(at(60))),
        agents_events(task_ids),
        coordinators_events(task_ids),
        brokers_events(task_ids),
        declines(task_ids),
        questions(task_ids),
        st.builds(submitted, task_ids, attempt=_attempts, republished=st.integers(1, 2)),
        st.builds(started, generation=st.just(2), task_id=task_ids),
        st.builds(completed, generation=st.just(2), task_id=task_ids),
    )
