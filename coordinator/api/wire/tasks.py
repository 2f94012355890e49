"""Writes one task and its timeline; reads and writes cancellations, retries and deletions of it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from coordinator.api.wire.callbacks.delivery_shapes import CallbackShape, callback_shape
from coordinator.api.wire.fields.answer_fields import (
    AgentId,
    AnswerModel,
    GroupName,
    Instant,
    ParentId,
    PriorityName,
    Submitter,
    Success,
    TagNames,
    TaskId,
    TaskStateName,
)
from coordinator.domain.task import Answer, Question
from coordinator.protocol.messages.task_events import MAX_QUESTION_ID
from coordinator.registry.queries.task_timeline import TimelineEntry
from coordinator.registry.queries.task_view import CallbackView, TaskView

from .fields.body_configs import refusing_unknown_keys
from .fields.instants import iso, iso_or_none
from .fields.lenient_json import NO_BOOLEAN, OBJECT
from .fields.page_fields import Count, NextCursor

__all__ = [
    "LONGEST_WAIT",
    "AnswerTaskBody",
    "AnsweredAnswer",
    "CancelTaskBody",
    "CancelledAnswer",
    "HappeningShape",
    "Progress",
    "RedrivenAnswer",
    "RetryTaskBody",
    "TaskAnswer",
    "TaskDeletedAnswer",
    "TaskError",
    "TaskShape",
    "TimelineAnswer",
    "WaitAnswer",
    "WaitQuery",
    "happening_shape",
    "task_shape",
]


class CancelTaskBody(BaseModel):
    """Carries the reason of a cancellation."""

    model_config = refusing_unknown_keys("Why a task is cancelled.", reason="submitted by mistake")

    reason: Annotated[str, Field(max_length=1000)] | None = Field(
        default=None, description="For people; kept as the message of the task's error."
    )


class AnswerTaskBody(BaseModel):
    """Carries the answer to the question of a task."""

    model_config = refusing_unknown_keys("The answer to what a task asks.", answer="yes")

    answer: Any = Field(
        description="Any JSON that the question allows: one of its `choices`, or what satisfies its"
        " `answer_schema`. At most 16 KiB."
    )
    question_id: Annotated[str, Field(min_length=1, max_length=MAX_QUESTION_ID)] | None = Field(
        default=None, description="The question that is answered; the one that is open by default."
    )


class RetryTaskBody(BaseModel):
    """Carries other data and a delay for another try of an ended task."""

    model_config = refusing_unknown_keys("How an ended task is tried again.", delay_seconds=60)

    task_data: Annotated[dict[str, Any] | None, OBJECT] = Field(
        default=None, description="In place of the task's own."
    )
    delay_seconds: Annotated[float, Field(ge=0, le=366 * 86400), NO_BOOLEAN] | None = Field(
        default=None, description="Seconds until it goes to its queue; at most a year."
    )


LONGEST_WAIT = 60
"""Seconds."""


class WaitQuery(BaseModel):
    """Bounds how long a request waits for the end of a task."""

    model_config = ConfigDict(frozen=True)

    timeout: float = Field(
        default=30, ge=0, le=LONGEST_WAIT, allow_inf_nan=False, description="Seconds."
    )


class Progress(AnswerModel):
    fraction: float | None = Field(description="0 to 1.", examples=[0.4])
    message: str | None = Field(examples=["page 12 of 30"])
    at: str | None = Field(default=None, examples=["2026-01-31T12:00:00.123456+00:00"])


class TaskError(AnswerModel):
    type: str = Field(description="The exception's class, or a word such as `Cancelled`.")
    message: str
    retryable: bool | None = None
    retry_after_seconds: float | None = None
    traceback: str | None = None


class QuestionShape(AnswerModel):
    question_id: str = Field(examples=["1"])
    question: Any = Field(examples=[{"question": "Send it?", "choices": ["yes", "no"]}])
    answer_schema: dict[str, Any] | None = Field(
        description="A JSON schema that the answer has to satisfy.", examples=[None]
    )
    asked_at: Instant
    until: Instant | None = Field(description="Until when an answer is waited for.")
    attempt: int
    agent_id: AgentId
    released: bool = Field(
        description="Whether the attempt ended with it, so that another one begins with the answer."
    )


class AnswerShape(AnswerModel):
    question_id: str = Field(examples=["1"])
    answer: Any = Field(examples=["yes"])
    timed_out: bool = Field(description="Whether nobody answered in time.")
    answered_by: Submitter
    answered_at: Instant


class TaskShape(AnswerModel):
    task_id: TaskId
    state: TaskStateName
    priority: PriorityName
    requirements: dict[str, Any]
    lane: str = Field(description="The queues that it goes through: tasks.<lane>.<priority>.")
    task_data: dict[str, Any]
    metadata: dict[str, Any] | None = Field(examples=[None])
    callback: CallbackShape | None = Field(
        description="Whom it is told to, and how that stands; null for nobody.", examples=[None]
    )
    generation: int
    attempt: int
    max_attempts: int
    submitted_at: Instant
    not_before: Instant | None = Field(description="When it goes, or went, on its queue.")
    expires_at: Instant | None = Field(description="Until when it must start.")
    started_at: Instant | None
    ended_at: Instant | None
    agent_id: AgentId | None = Field(description="Who works on it, or did last.")
    progress: Progress | None = Field(description="As the agent last told it.")
    result: Any = Field(description="What the agent returned.", examples=[{"words": 2}])
    error: TaskError | None = Field(
        description="Why the last attempt failed, or why the task was ended.", examples=[None]
    )
    submitted_by: Submitter
    parent_id: ParentId
    group: GroupName
    tags: TagNames
    question: QuestionShape | None = Field(
        description="What people are asked, where that has no answer yet: `POST /tasks/{task_id}/input`."
    )
    answers: list[AnswerShape] = Field(
        description="To questions of this generation, the last 32.", examples=[[]]
    )


class TaskAnswer(AnswerModel):
    status: Success
    task: TaskShape
    timestamp: Instant


class CancelledAnswer(AnswerModel):
    status: Success
    message: str = Field(examples=["Task 0197f3a0-5b1e-7c3d-9a41-2f6d8e5b7c10 cancelled"])
    task_id: TaskId
    was: TaskStateName = Field(description="The state that it was in.", examples=["queued"])
    cancelled_at: Instant


class AnsweredAnswer(AnswerModel):
    status: Success
    message: str = Field(examples=["Task 0197f3a0-5b1e-7c3d-9a41-2f6d8e5b7c10 has its answer"])
    task_id: TaskId
    question_id: str = Field(examples=["1"])
    answered_at: Instant


class TaskDeletedAnswer(AnswerModel):
    status: Success
    message: str = Field(examples=["Task 0197f3a0-5b1e-7c3d-9a41-2f6d8e5b7c10 deleted"])
    task_id: TaskId
    timestamp: Instant


class RedrivenAnswer(AnswerModel):
    status: Success
    message: str = Field(examples=["Task 0197f3a0-5b1e-7c3d-9a41-2f6d8e5b7c10 will be tried again"])
    task_id: TaskId
    was: TaskStateName = Field(description="The state that it was in.", examples=["dead"])
    generation: int = Field(examples=[2])
    due_at: Instant
    warning: str | None = Field(
        default=None,
        description="Where no agent is there that could do it, as in the answer to a submission.",
    )


class WaitAnswer(AnswerModel):
    status: Success
    ended: bool = Field(description="False where the time was over first.")
    task: TaskShape
    timestamp: Instant


class HappeningShape(AnswerModel):
    event_id: str
    type: str = Field(examples=["task.started"])
    time: Instant = Field(description="By the clock of who tells; the order is that of the log.")
    generation: int
    attempt: int
    agent_id: AgentId | None = Field(description="Null where a coordinator or the broker tells.")
    details: dict[str, Any] = Field(
        description="What this type of event says beyond that: `error`, `reason`, `fraction`,"
        " `result_bytes`, …",
        examples=[{"instance": "a1b2"}],
    )


class TimelineAnswer(AnswerModel):
    status: Success
    task_id: TaskId
    events: list[HappeningShape]
    count: Count
    next_cursor: NextCursor
    timestamp: Instant


def task_shape(task: TaskView) -> dict[str, Any]:
    """A task as `TaskShape` describes it."""
    return {
        "task_id": task.task_id,
        "state": task.state,
        "priority": task.priority.value,
        "requirements": task.requirements,
        "lane": task.lane,
        "task_data": task.task_data,
        "metadata": task.metadata,
        "callback": _callback(task.callback),
        "generation": task.generation,
        "attempt": task.attempt,
        "max_attempts": task.max_attempts,
        "submitted_at": iso(task.submitted_at),
        "not_before": iso_or_none(task.not_before),
        "expires_at": iso_or_none(task.expires_at),
        "started_at": iso_or_none(task.started_at),
        "ended_at": iso_or_none(task.ended_at),
        "agent_id": task.agent_id,
        "progress": task.progress,
        "result": task.result,
        "error": task.error,
        "submitted_by": task.submitted_by,
        "parent_id": task.parent_id,
        "group": task.group,
        "tags": task.tags,
        "question": None if task.question is None else _question_shape(task.question),
        "answers": [_answer_shape(one) for one in task.answers],
    }


def _question_shape(question: Question) -> dict[str, Any]:
    return {
        "question_id": question.question_id,
        "question": question.question,
        "answer_schema": question.answer_schema,
        "asked_at": iso(question.asked_at),
        "until": iso_or_none(question.until),
        "attempt": question.attempt,
        "agent_id": question.agent_id,
        "released": question.released,
    }


def _answer_shape(answer: Answer) -> dict[str, Any]:
    return {
        "question_id": answer.question_id,
        "answer": answer.answer,
        "timed_out": answer.timed_out,
        "answered_by": answer.by,
        "answered_at": iso(answer.at),
    }


def _callback(view: CallbackView | None) -> dict[str, Any] | None:
    return None if view is None else callback_shape(view.asked, view.deliveries)


def happening_shape(one: TimelineEntry) -> dict[str, Any]:
    """An event of a timeline as `HappeningShape` describes it."""
    return {
        "event_id": one.event_id,
        "type": one.type,
        "time": iso(one.time),
        "generation": one.generation,
        "attempt": one.attempt,
        "agent_id": one.agent_id,
        "details": one.details,
    }
