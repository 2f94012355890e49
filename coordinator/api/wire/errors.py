"""Describes the body of every error."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from coordinator.api.wire.fields.answer_fields import AnswerModel

__all__ = ["Error", "FieldError"]


class FieldError(AnswerModel):
    field: str = Field(description="Which field; `body` for the whole.")
    message: str


class Error(AnswerModel):
    """Every error: `detail` is a sentence that says what to do."""

    detail: str
    errors: list[FieldError] | None = Field(default=None, description="422: each field.")
    status: Literal["error"] | None = Field(default=None, description="404")
    message: str | None = Field(default=None, description="404: the same as `detail`.")
    timestamp: datetime | None = Field(default=None, description="404")
    reason: str | None = Field(default=None, description="503: why.")
    task_id: str | None = Field(
        default=None, description="503 with an unknown outcome: the id that the task has, if it is."
    )
