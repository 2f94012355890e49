"""Reads the body of a submission into a command, and writes the answer to one that was accepted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, WithJsonSchema

from coordinator.api.wire.callbacks.callback_body import CallbackBody, callback_of
from coordinator.api.wire.fields.answer_fields import (
    AnswerModel,
    Instant,
    PriorityName,
    Success,
    TaskId,
)
from coordinator.api.wire.fields.text_patterns import (
    GroupWord,
    Names,
    Tags,
    Word,
    task_data_schema,
)
from coordinator.protocol.messages.task_message import Backoff
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import NO_REQUIREMENTS, Requirements
from coordinator.protocol.trace_context import TraceContext
from coordinator.submission.task_maker import Accepted, SubmitTask
from coordinator.submission.task_options import NO_OPTIONS, TaskOptions

from .fields.body_configs import ignoring_unknown_keys
from .fields.instants import InstantText, instant, iso
from .fields.lenient_json import LIST, OBJECT, Number, Whole

__all__ = [
    "BackoffBody",
    "BatchLabels",
    "SubmitTaskBody",
    "Submitted",
    "TaskRequirements",
    "accepted_shape",
    "submit_command",
    "type_warning",
]

PriorityWord = Annotated[
    Any,
    WithJsonSchema(
        {
            "type": ["string", "null"],
            "enum": [*(priority.value for priority in Priority), None],
            "description": "How urgent the task is, in any letter case; `normal` where it is left out.",
        }
    ),
]
"""Any value at all, because a wrong one is answered with the contract's own sentence (400)."""


class TaskRequirements(BaseModel):
    """Requires properties of the agent that does the task."""

    model_config = ignoring_unknown_keys(
        "What an agent must have to do the task; what is not named is not required.",
        capabilities=["analysis"],
        agent_type="worker",
    )

    capabilities: Annotated[Names | None, LIST] = Field(
        default=None, description="All of them are needed."
    )
    agent_type: Word | None = None
    services: Annotated[Names | None, LIST] = Field(
        default=None, description="All of them are needed."
    )
    agent_id: Word | None = Field(default=None, description="This agent and no other.")


class BackoffBody(BaseModel):
    """Sets the pauses before further attempts."""

    model_config = ignoring_unknown_keys(
        "How long to wait before another attempt; what is not given is as the service has it.",
        first_seconds=5,
        factor=2,
        longest_seconds=600,
    )

    first_seconds: Number | None = Field(
        default=None,
        description="The pause after the first failure.",
        json_schema_extra={"minimum": 0, "maximum": 604800},
    )
    factor: Number | None = Field(
        default=None,
        description="Each pause is so many times the one before: 1 to 100.",
        json_schema_extra={"minimum": 1, "maximum": 100},
    )
    longest_seconds: Number | None = Field(
        default=None,
        description="No pause is longer.",
        json_schema_extra={"minimum": 0, "maximum": 604800},
    )


class SubmitTaskBody(BaseModel):
    """A piece of work."""

    model_config = ignoring_unknown_keys(
        task_data={"model": "llama2", "prompt": "test prompt"}, priority="normal", requirements={}
    )

    task_data: Annotated[dict[str, Any], OBJECT] = Field(
        description="The work, as its agent understands it. `task_type` names the handler;"
        " `task_id`, where given, becomes the task's id, and makes repeating the request safe.",
        json_schema_extra=task_data_schema,
    )
    priority: PriorityWord = None
    requirements: Annotated[TaskRequirements | None, OBJECT] = None
    timeout_seconds: Number | None = Field(
        default=None,
        description="Seconds that one attempt may take; at most seven days.",
        json_schema_extra={"exclusiveMinimum": 0, "maximum": 604800},
    )
    progress_timeout_seconds: Number | None = Field(
        default=None,
        description="Seconds that an attempt may go on without telling of progress.",
        json_schema_extra={"exclusiveMinimum": 0, "maximum": 604800},
    )
    max_attempts: Whole | None = Field(
        default=None,
        description="Attempts before the task is dead: 1 to 100.",
        json_schema_extra={"minimum": 1, "maximum": 100},
    )
    backoff: Annotated[BackoffBody | None, OBJECT] = None
    delay_seconds: Number | None = Field(
        default=None,
        description="Seconds until it goes on its queue; at most a year.",
        json_schema_extra={"minimum": 0, "maximum": 366 * 86400},
    )
    not_before: InstantText | None = Field(
        default=None, description="When it goes on its queue, instead of `delay_seconds`."
    )
    expires_in_seconds: Number | None = Field(
        default=None,
        description="Seconds within which it must start; after them it is `expired`.",
        json_schema_extra={"exclusiveMinimum": 0, "maximum": 2 * 366 * 86400},
    )
    expires_at: InstantText | None = Field(
        default=None, description="Until when it must start, instead of `expires_in_seconds`."
    )
    metadata: Annotated[dict[str, Any] | None, OBJECT] = Field(
        default=None, description="Anything about the task that is not work; kept with it."
    )
    group: GroupWord | None = Field(
        default=None,
        description="What it belongs to, in a word of your own: `GET /groups/{group_id}` tells how all of"
        " its tasks stand.",
    )
    tags: Annotated[Tags | None, LIST] = Field(
        default=None, description="Words to find it by: up to 16, of up to 64 characters."
    )
    callback: Annotated[CallbackBody | None, OBJECT] = None


class Submitted(AnswerModel):
    status: Success
    message: Literal["Task submitted successfully"]
    task_id: TaskId
    priority: PriorityName
    submitted_at: Instant
    warning: str | None = Field(
        default=None,
        description="Where no agent is there that could do it, or where keys of the request are"
        " unknown and were ignored.",
        examples=[
            "No agent that is registered now meets the requirements: the task waits for one."
        ],
    )
    state: Literal["scheduled"] | None = Field(default=None, description="Where it is scheduled.")
    not_before: Instant | None = Field(
        default=None, description="Where it is scheduled: when it goes on its queue."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLabels:
    """Holds what a batch says of its tasks."""

    group: str | None = None
    """Of tasks that name none."""
    batch: str | None = None
    """The same, where the batch names none either."""
    tags: Sequence[str] = ()
    """Of each, beside its own."""


_ALONE = BatchLabels()


def submit_command(
    body: SubmitTaskBody,
    trace: TraceContext | None,
    by: str | None = None,
    labels: BatchLabels = _ALONE,
) -> SubmitTask:
    """The command that ``body`` asks for, of the caller ``by``. ``trace`` is the one of its request, for
    the task to carry on; ``labels`` those of its batch. Raises `InvalidPriority` or `InvalidRequest`.
    """
    tags = (*(body.tags or ()), *labels.tags)
    return SubmitTask(
        task_data=body.task_data,
        priority=Priority.parse(body.priority),
        requirements=_requirements(body.requirements),
        timeout_seconds=body.timeout_seconds,
        options=_options(body),
        metadata=body.metadata,
        callback=callback_of(body.callback),
        trace=trace,
        submitted_by=by,
        group=body.group if body.group is not None else labels.group,
        batch=labels.batch,
        tags=tuple(sorted(set(tags))) if tags else (),
    )


def accepted_shape(accepted: Accepted) -> dict[str, Any]:
    """The fields of an answer about a task that was accepted."""
    shape = {
        "task_id": accepted.task_id,
        "priority": accepted.priority.value,
        "submitted_at": iso(accepted.submitted_at),
    }
    if accepted.not_before is not None:
        shape |= {"state": "scheduled", "not_before": iso(accepted.not_before)}
    return shape


def type_warning(task_data: dict[str, Any]) -> str | None:
    """Says that a `task_type` of another type than string counts as none; null is as good as absent."""
    given = task_data.get("task_type")
    if given is None or isinstance(given, str):
        return None
    return (
        f"task_data.task_type is {_json_type(given)}, not a string: it was ignored, and the task counts as"
        " one without a type."
    )


def _json_type(value: Any) -> str:
    """In the words of JSON, with its article."""
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    return "an array" if isinstance(value, list) else "an object"


_OPTIONS = frozenset(field.name for field in fields(TaskOptions))


def _options(body: SubmitTaskBody) -> TaskOptions:
    if _OPTIONS.isdisjoint(body.model_fields_set):
        return NO_OPTIONS
    backoff = body.backoff
    return TaskOptions(
        max_attempts=body.max_attempts,
        # Not validated here: `submission.task_options` checks it, as all values, with a sentence for each.
        backoff=None if backoff is None else Backoff.model_construct(**backoff.model_dump()),
        progress_timeout_seconds=body.progress_timeout_seconds,
        delay_seconds=body.delay_seconds,
        not_before=instant(body.not_before, "not_before"),
        expires_in_seconds=body.expires_in_seconds,
        expires_at=instant(body.expires_at, "expires_at"),
    )


def _requirements(body: TaskRequirements | None) -> Requirements:
    if body is None:
        return NO_REQUIREMENTS
    return Requirements(
        agent_type=body.agent_type or None,
        capabilities=tuple(body.capabilities or ()),
        services=tuple(body.services or ()),
        agent_id=body.agent_id or None,
    )
