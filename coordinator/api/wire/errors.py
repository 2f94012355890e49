"""Describes the body of every error."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from coordinator.api.wire.fields.answer_fields import AnswerModel, Instant

__all__ = ["Error", "FieldError"]


class FieldError(AnswerModel):
    field: str = Field(description="Which field; `body` for the whole.")
    message: str


class Error(AnswerModel):
    """Every error: `detail` is a sentence that says what to do, and `code` a word that stays the same."""

    detail: str
    status: Literal["error"]
    message: str = Field(description="The same as `detail`.")
    code: str = Field(
        description="For programs: the kind of error, in a word that keeps its meaning.",
        examples=["task_not_found"],
    )
    timestamp: Instant
    errors: list[FieldError] | None = Field(default=None, description="422: each field.")
    reason: str | None = Field(default=None, description="503: why.")
    task_id: str | None = Field(
        default=None, description="503 with an unknown outcome: the id that the task has, if it is."
    )
