"""Describes a batch of submissions, and the verdicts on its tasks."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, WithJsonSchema

from coordinator.api.wire.fields.answer_fields import (
    AnswerModel,
    Instant,
    PriorityName,
    Success,
    TaskId,
    UnknownKeysWarning,
)
from coordinator.api.wire.fields.text_patterns import GroupWord, Tags

from .errors import FieldError
from .fields.body_configs import ignoring_unknown_keys
from .fields.lenient_json import LIST

__all__ = ["BatchBody", "BatchSubmitted", "VerdictError", "VerdictShape"]


class BatchBody(BaseModel):
    """Many pieces of work."""

    model_config = ignoring_unknown_keys(
        tasks=[{"task_data": {"prompt": "one"}}, {"task_data": {"prompt": "two"}}]
    )

    tasks: Annotated[
        list[Any],
        LIST,
        WithJsonSchema(
            {
                "type": "array",
                "items": {"$ref": "#/components/schemas/SubmitTaskBody"},
                "maxItems": 1000,
            }
        ),
    ] = Field(description="Each as in `POST /tasks/submit`.")
    """Anything at all, because each is answered with a verdict of its own."""
    group: GroupWord | None = Field(
        default=None,
        description="The group of all its tasks that name none. By default one that is made for this batch.",
    )
    tags: Annotated[Tags | None, LIST] = Field(
        default=None, description="Tags of each of its tasks, beside the task's own."
    )


class VerdictError(AnswerModel):
    """The error that the task alone would have been answered with."""

    status_code: int = Field(examples=[422])
    detail: str
    errors: list[FieldError] | None = None
    reason: str | None = None


class VerdictShape(AnswerModel):
    index: int = Field(description="Its place in the request, from 0.")
    status: Literal["accepted", "rejected", "unknown"]
    task_id: TaskId | None = None
    priority: PriorityName | None = None
    submitted_at: Instant | None = None
    state: Literal["scheduled"] | None = None
    not_before: Instant | None = None
    warning: str | None = None
    error: VerdictError | None = None


class BatchSubmitted(AnswerModel):
    status: Success
    accepted: int = Field(examples=[2])
    rejected: int = Field(examples=[0])
    unknown: int = Field(examples=[0])
    results: list[VerdictShape] = Field(description="In the order of the request.")
    group: str | None = Field(
        description="The group of its tasks, for `GET /groups/{group_id}`; null where none was accepted, or"
        " each named another.",
        examples=["0197f3a0-5b1e-7c3d-9a41-2f6d8e5b7c10"],
    )
    warning: UnknownKeysWarning
    timestamp: Instant
