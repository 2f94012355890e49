"""Says what a fold answers: the task, and the effects to carry out once it is stored.

`CancelOnAgent` and `AnswerAgent` become commands to agents, `PublishAt` a row of the outbox. The fold
itself does neither.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from coordinator.domain.retry_backoff import RetryBackoff
from coordinator.domain.task import Answer, Runner, Task

__all__ = [
    "NO_RETRY_TIME",
    "AnswerAgent",
    "CancelOnAgent",
    "Effect",
    "Folded",
    "PublishAt",
    "Rules",
    "cancel_on",
    "cancel_on_all",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOnAgent:
    """Orders one agent to stop working on the task."""

    agent_id: str
    task_id: str
    generation: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishAt:
    """Orders an attempt to be published to its queue when it is due."""

    task_id: str
    generation: int
    attempt: int
    due: datetime
    anew: bool = False
    """Whether it was ordered before, and that order is void: what was published for it came back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerAgent:
    """Orders the answer to a question of its attempt to be told to an agent."""

    agent_id: str
    task_id: str
    generation: int
    answer: Answer


Effect = CancelOnAgent | AnswerAgent | PublishAt


@dataclass(frozen=True, slots=True)
class Folded:
    """A task after an event, and the effects to carry out once it is stored."""

    task: Task
    effects: tuple[Effect, ...] = ()


_RETRY = RetryBackoff()

_DECLINED = RetryBackoff(first=timedelta(seconds=1), longest=timedelta(minutes=5))
"""The pause before a task is offered again that an agent gave back, because it does not know its type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The time and the pauses that a fold is given: it reads no clock and no settings."""

    now: datetime
    """The coordinator's, because pauses are counted from when a failure became known."""
    retry: RetryBackoff = _RETRY
    declined: RetryBackoff = _DECLINED
    metadata_keys: frozenset[str] = frozenset()
    """Keys of a task's metadata that can be searched for."""


NO_RETRY_TIME = Rules(now=datetime(1970, 1, 1, tzinfo=UTC))
"""For folds whose effects nobody looks at."""


def cancel_on(task: Task, agent_id: str) -> CancelOnAgent:
    """The command by which an agent stops an attempt at this task, with the task's state as the reason."""
    return CancelOnAgent(
        agent_id=agent_id,
        task_id=task.task_id,
        generation=task.generation,
        reason=task.state.value,
    )


def cancel_on_all(task: Task, runners: Iterable[Runner]) -> tuple[Effect, ...]:
    """One command for each agent, whatever number of attempts it runs."""
    agents = dict.fromkeys(runner.agent_id for runner in runners)
    return tuple(cancel_on(task, agent_id) for agent_id in agents)
