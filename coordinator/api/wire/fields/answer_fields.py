"""Defines the fields that answers share, for the OpenAPI document: ids, instants, states, warnings."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from coordinator.domain.agent_statuses import AgentStatus
from coordinator.domain.task import State

__all__ = [
    "AgentId",
    "AgentStatusName",
    "AnswerModel",
    "GroupName",
    "Instant",
    "ParentId",
    "PriorityName",
    "Submitter",
    "Success",
    "TagNames",
    "TaskId",
    "TaskStateName",
    "UnknownKeysWarning",
]


class AnswerModel(BaseModel):
    """Describes an answer in the OpenAPI document alone: no validator is made of it when it is imported."""

    model_config = ConfigDict(defer_build=True)


Success = Literal["success"]

PriorityName = Annotated[
    Literal["urgent", "critical", "high", "normal", "low"], Field(examples=["normal"])
]

AgentId = Annotated[str, Field(examples=["hermes-agent"])]

TaskId = Annotated[str, Field(examples=["0197f3a0-5b1e-7c3d-9a41-2f6d8e5b7c10"])]

Instant = Annotated[
    datetime,
    Field(examples=["2026-01-31T12:00:00.123456+00:00"], description="ISO 8601, in UTC."),
]

AgentStatusName = Annotated[
    str,
    Field(
        examples=["active"], json_schema_extra={"enum": [status.value for status in AgentStatus]}
    ),
]

TaskStateName = Annotated[
    str, Field(examples=["completed"], json_schema_extra={"enum": [state.value for state in State]})
]

Submitter = Annotated[
    str | None,
    Field(
        description="Whose it is: `key:` and the name of an API key, or `jwt:` and its subject; null where"
        " nobody was asked for a credential.",
        examples=["key:reports"],
    ),
]

ParentId = Annotated[
    str | None,
    Field(
        description="The task whose handler has submitted it; null where it is no follow-up task.",
        examples=[None],
    ),
]

GroupName = Annotated[
    str | None,
    Field(description="What it belongs to; null where it is of no group.", examples=["report-7"]),
]

TagNames = Annotated[list[str], Field(description="Sorted.", examples=[["nightly"]])]

UnknownKeysWarning = Annotated[
    str | None,
    Field(
        default=None,
        description="Which keys of the request are unknown and were ignored.",
        examples=["These unknown keys were ignored: 'priorty' (did you mean 'priority'?)."],
    ),
]
