"""Defines how the agent of a running attempt submits a follow-up task, and how that is answered.

    agent ── coordinator.events, key `agent.<agent>.submit-task` ──▶ coordinator.requests ──▶ a coordinator
          ◀── its control queue, once the broker has the task, or with the reason why not ───────┘

An agent that hears nothing asks again with the same `request_id`, for as long as its attempt runs: the id of
the task follows from it, so that a repetition is the same task.
"""

from __future__ import annotations

import uuid
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from coordinator.protocol.name_encoding import encode_word
from coordinator.protocol.priority import Priority

__all__ = [
    "MAX_REQUEST_ID",
    "NO_OWN_ID",
    "SUBMIT_TASK",
    "FollowUpReply",
    "FollowUpRequest",
    "follow_up_id",
    "follow_up_key",
    "other_task_under",
]

SUBMIT_TASK = "submit-task"
"""The AMQP `type` of such a request and of its reply, and the end of its routing key."""

MAX_REQUEST_ID = 200
"""Characters."""

NO_OWN_ID = (
    "task_data.task_id: a follow-up task has an id that follows from its parent's; pass a key to have the"
    " same task again"
)
"""Why a submission is refused that brings an id of its own."""

_NAMESPACE = uuid.UUID("0b9a4c1e-52d7-5f58-8f43-9d5a4f6e2c71")


class FollowUpRequest(BaseModel):
    """Asks for a task on behalf of an attempt that runs, which is named as in its events."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    task_id: str
    """Of the parent."""
    generation: int = Field(default=1, ge=1)
    attempt: int = Field(ge=1)
    crashes: int = Field(default=0, ge=0)
    """How many of `attempt` are agents that were lost with the same message: its token counts none."""
    task_token: str = Field(repr=False)
    agent_id: str
    request_id: str = Field(min_length=1, max_length=MAX_REQUEST_ID)
    """Tells this request from the others of its parent, in one generation."""
    submission: dict[str, Any]
    """As the body of `POST /tasks/submit`."""
    cancel_with_parent: bool = False
    """Whether it is to be cancelled with its parent."""


class FollowUpReply(BaseModel):
    """``error`` is None and the rest is filled, or ``error`` says why there is no such task."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    error: str | None = None
    retry_after_seconds: float | None = None
    """Where it is refused for now only: when it may be tried again."""
    task_id: str | None = None
    priority: Priority | None = None
    submitted_at: AwareDatetime | None = None

    def to_json(self) -> bytes:
        return self.model_dump_json(exclude_none=True).encode()


def follow_up_key(agent_id: str) -> str:
    """The routing key of such a request on `coordinator.events`."""
    return f"agent.{encode_word(agent_id)}.{SUBMIT_TASK}"


def follow_up_id(parent_id: str, generation: int, request_id: str) -> str:
    """The id of the task; the same for whoever asks again."""
    return str(uuid.uuid5(_NAMESPACE, f"{parent_id}\0{generation}\0{request_id}"))


def other_task_under(request_id: str) -> str:
    """Why a request is refused whose name was used for another submission."""
    key = request_id.removeprefix("=")
    return f"This task has submitted another task under the key {key!r}: choose a new key"
