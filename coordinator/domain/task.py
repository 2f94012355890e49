"""Holds a task's state as the law folds it: never its data or its result (those are in its events).

What people are asked and answer is small, and is part of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from coordinator.protocol.priority import Priority

__all__ = [
    "ANY_ATTEMPT",
    "ENDED",
    "IN_HAND",
    "TRANSITIONS",
    "Answer",
    "Question",
    "Runner",
    "State",
    "Task",
    "TasksInHand",
]

TasksInHand = Mapping[tuple[str, int], int]
"""By a task's id and generation, the attempt of the latest message that an agent is believed to have in hand:
`registry.agents.in_memory.named_tasks`."""

ANY_ATTEMPT = 2**31
"""In the place of the attempt, where an agent is believed whichever it is."""


class State(StrEnum):
    """Where a task stands."""

    #: its time has not come: it is on no queue yet
    SCHEDULED = "scheduled"
    #: on its queue, for an agent to take
    QUEUED = "queued"
    #: an agent has started an attempt
    RUNNING = "running"
    #: an attempt has asked people for something, and has no answer yet
    INPUT_REQUIRED = "input_required"
    #: an attempt failed and another one follows after a pause
    WAITING = "waiting"
    #: the work is done
    COMPLETED = "completed"
    #: its attempts are spent, no other would go better, or its agents crashed over it
    DEAD = "dead"
    #: ended by request, or with its queue
    CANCELLED = "cancelled"
    #: its deadline passed before an attempt started
    EXPIRED = "expired"


ENDED = frozenset({State.COMPLETED, State.DEAD, State.CANCELLED, State.EXPIRED})
"""The states that never reverse within a generation."""

IN_HAND = frozenset({State.RUNNING, State.INPUT_REQUIRED})
"""The states in which an agent may have the task; of one that asked and was given back it is no agent's."""

TRANSITIONS: dict[State, frozenset[State]] = {
    State.SCHEDULED: ENDED | {State.QUEUED, State.RUNNING, State.WAITING, State.INPUT_REQUIRED},
    State.QUEUED: ENDED | {State.RUNNING, State.WAITING, State.INPUT_REQUIRED},
    State.RUNNING: ENDED | {State.QUEUED, State.WAITING, State.INPUT_REQUIRED},
    State.INPUT_REQUIRED: ENDED | {State.QUEUED, State.WAITING, State.RUNNING},
    State.WAITING: ENDED | {State.QUEUED, State.RUNNING, State.INPUT_REQUIRED},
    State.COMPLETED: frozenset(),
    State.DEAD: frozenset(),
    State.CANCELLED: frozenset(),
    State.EXPIRED: frozenset(),
}
"""What one event may change a state into within a generation. Wider than the usual way through,
because events of different authors may reach the log out of order."""


@dataclass(frozen=True, slots=True)
class Runner:
    """An agent that started an attempt and has not told how it ended."""

    attempt: int
    agent_id: str


class Question(NamedTuple):
    """Holds what an attempt asks people until there is an answer."""

    question_id: str
    question: Any
    attempt: int
    agent_id: str
    asked_at: datetime
    """By the clock of the coordinator that folded it, as the two that follow."""
    until: datetime | None = None
    """When it is too late for an answer."""
    answer_schema: dict[str, Any] | None = None
    released: bool = False
    """Whether the attempt ended with it, so that the answer is for another one."""

    @property
    def answer_by(self) -> datetime | None:
        """When a coordinator ends the wait. An attempt that keeps its slot does so by itself."""
        return self.until if self.released else None


class Answer(NamedTuple):
    """Holds the answer to a question, or that there was none in time."""

    question_id: str
    question_digest: str
    answer: Any
    timed_out: bool
    by: str | None
    at: datetime


class Task(NamedTuple):
    """Made by `law.fold` alone. (generation, attempt) is the fence and never goes back.

    A tuple and not a dataclass, because the law makes some for every event, and a changed copy of a
    tuple costs a tenth.
    """

    task_id: str
    state: State = State.QUEUED
    generation: int = 1
    attempt: int = 1
    """The current attempt; once completed, the one that completed it."""
    published: int = 0
    """The attempt that the newest message of this generation carries; 0 until it was seen."""
    started: int = 0
    """The highest attempt of this generation that started; 0 for none."""
    failed: int = 0
    """The highest attempt of this generation that failed, or ended with a question; 0 for none."""
    released: int = 0
    """Attempts of this generation that ended with a question: each allows one more."""
    settled: int = 0
    """The highest attempt of this generation whose message was seen to leave its queue without an
    agent: cleared, or given up by the broker."""
    runners: tuple[Runner, ...] = ()

    content: int = 0
    """The generation of the message that the following are from; 0 until one was folded, since what
    agents say may reach the log before it."""
    max_attempts: int | None = None
    priority: Priority | None = None
    lane: str | None = None
    task_type: str | None = None
    backoff: dict[str, Any] | None = None
    """`protocol.messages.task_message.Backoff`, where the task has its own."""
    expires_at: datetime | None = None
    """Not to be started after this instant."""
    submitted_at: datetime | None = None
    submission: str | None = None
    """The id of the event that holds the task's content."""

    agent_id: str | None = None
    """Who runs the current attempt, or ended it."""
    first_started_at: datetime | None = None
    started_at: datetime | None = None
    """Of the current attempt."""
    ended_at: datetime | None = None
    progress: dict[str, Any] | None = None
    """The last that was told: `fraction`, `message` and `at`."""
    error: dict[str, Any] | None = None
    """Why the last failed attempt failed, or why the task was ended."""
    outcome: str | None = None
    """The id of the event that ended the task."""

    starts: int = 0
    """Attempts started, in all generations."""
    failures: int = 0
    """Attempts failed, in all generations."""

    question: Question | None = None
    """The one that has no answer yet."""
    answers: tuple[Answer, ...] = ()
    """To questions of this generation, the last of them: `transitions.questions`."""

    submitted_by: str | None = None
    """Whose it is, where the API asks for credentials."""
    group: str | None = None
    tags: tuple[str, ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()
    """What of it can be searched for: `labels.task_labels.searchable`."""
    callback: dict[str, Any] | None = None
    """`protocol.messages.task_message.Callback`, where its producer wants to be told of it."""
    parent_id: str | None = None
    """The task whose handler has submitted it, where one has."""
    cancel_with_parent: int | None = None
    """The generation of the parent with which it is cancelled; None where it goes on: see
    `transitions.stopped_parents`."""

    @property
    def known(self) -> bool:
        """Whether its own message was folded, so that it has content."""
        return self.content > 0

    @property
    def gone(self) -> bool:
        """Whether its newest message is known to have left its queue: in an agent's hands, or for
        good.
        """
        return max(self.started, self.failed, self.settled) >= self.published

    def is_in(self, in_hand: TasksInHand) -> bool:
        """Whether its newest message is in somebody's hand: who has an earlier one has not this one."""
        return in_hand.get((self.task_id, self.generation), 0) >= max(self.published, 1)

    @property
    def ended(self) -> bool:
        return self.state in ENDED
