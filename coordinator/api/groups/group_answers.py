"""Writes how a group of tasks stands, and reads what is waited for and what is cancelled."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from coordinator.api.wire.fields.answer_fields import AnswerModel, Instant, Success
from coordinator.api.wire.fields.body_configs import refusing_unknown_keys
from coordinator.api.wire.fields.lenient_json import LIST, NO_BOOLEAN
from coordinator.api.wire.fields.text_patterns import Tags
from coordinator.api.wire.tasks import LONGEST_WAIT
from coordinator.domain.labels.group_counts import GroupCounts
from coordinator.domain.task import State

__all__ = [
    "MOST_CANCELLED",
    "CancelGroupBody",
    "GroupAnswer",
    "GroupCancelledAnswer",
    "GroupShape",
    "GroupWaitAnswer",
    "GroupWaitQuery",
    "StateCounts",
    "group_shape",
]

MOST_CANCELLED = 10_000
"""Tasks of one request."""

Number = Annotated[int, Field(examples=[0])]


class StateCounts(AnswerModel):
    """Counts tasks by state."""

    scheduled: Number
    queued: Number
    running: Number
    input_required: Number
    waiting: Number
    completed: Number
    dead: Number
    cancelled: Number
    expired: Number


class GroupShape(AnswerModel):
    group_id: str = Field(examples=["0197f3a0-5b1e-7c3d-9a41-2f6d8e5b7c10"])
    total: int = Field(description="Tasks of the group that are kept.", examples=[20])
    ended: int = Field(description="Of these, those that have ended, in whatever way.")
    progress: float = Field(description="Which part of them has ended: 0 to 1.", examples=[0.25])
    counts: StateCounts = Field(description="How many are in each state.")


class GroupAnswer(AnswerModel):
    status: Success
    group: GroupShape
    timestamp: Instant


class GroupWaitQuery(BaseModel):
    """Says what is waited for, and how long."""

    model_config = ConfigDict(frozen=True)

    timeout: float = Field(
        default=30, ge=0, le=LONGEST_WAIT, allow_inf_nan=False, description="Seconds."
    )
    until: Literal["all", "any"] = Field(
        default="all", description="`all`: that all of its tasks have ended. `any`: that one has."
    )
    more_than: int = Field(
        default=0,
        ge=0,
        le=2**53,
        description="With `until=any`: that more have ended than so many, which is how many had when you"
        " looked last.",
    )


class GroupWaitAnswer(AnswerModel):
    status: Success
    reached: bool = Field(
        description="Whether what was waited for is so. False where the time was over first."
    )
    group: GroupShape
    timestamp: Instant


class CancelGroupBody(BaseModel):
    """Says which tasks of a group are cancelled, and why."""

    model_config = refusing_unknown_keys(
        "Which tasks of the group are cancelled, and why.", reason="the customer has withdrawn"
    )

    reason: Annotated[str, Field(max_length=1000)] | None = Field(
        default=None, description="For people; kept as the message of each task's error."
    )
    tags: Annotated[Tags | None, LIST] = Field(
        default=None, description="Only tasks that have all of these."
    )
    limit: Annotated[int, Field(ge=1, le=MOST_CANCELLED), NO_BOOLEAN] | None = Field(
        default=None, description=f"Tasks in one request; by default {MOST_CANCELLED}."
    )


class GroupCancelledAnswer(AnswerModel):
    status: Success
    message: str = Field(examples=["12 tasks of the group cancelled"])
    group_id: str
    cancelled: int = Field(description="Tasks that this request has ended.", examples=[12])
    was: StateCounts = Field(description="The states that these were in.")
    left: int = Field(
        description="Tasks that match and go on: more than one request ends, or others act on them at this"
        " moment. Repeat the request while there are some.",
        examples=[0],
    )
    group: GroupShape = Field(description="How it stands after that.")
    timestamp: Instant


def group_shape(group: GroupCounts) -> dict[str, Any]:
    """A group as `GroupShape` describes it."""
    return {
        "group_id": group.group_id,
        "total": group.total,
        "ended": group.ended,
        "progress": group.progress,
        "counts": {state.value: group.counts[state] for state in State},
    }
