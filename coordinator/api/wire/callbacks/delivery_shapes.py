"""Writes deliveries of callbacks, and reads which of them a request means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, Field

from coordinator.api.wire.fields.answer_fields import AnswerModel, Instant, Success, TaskId
from coordinator.api.wire.fields.body_configs import refusing_unknown_keys
from coordinator.api.wire.fields.instants import iso, iso_or_none
from coordinator.api.wire.fields.page_fields import Count, FilterText, NextCursor, PageQuery
from coordinator.domain.callbacks.callback_delivery import CallbackDelivery, DeliveryState
from coordinator.protocol.messages.task_message import Callback

__all__ = [
    "CallbackEvent",
    "CallbackShape",
    "CallbacksAnswer",
    "CallbacksQuery",
    "DeliveryShape",
    "RedriveCallbacksBody",
    "RedrivenCallbacksAnswer",
    "TasksDeliveryShape",
    "callback_shape",
    "delivery_shape",
]

StateName = Annotated[
    str,
    Field(
        examples=["delivered"],
        description="`pending` is tried when it is due, `dead` is not tried any more.",
        json_schema_extra={"enum": [state.value for state in DeliveryState]},
    ),
]


class TasksDeliveryShape(AnswerModel):
    webhook_id: str = Field(
        description="As in the header `webhook-id`: the same for each try.",
        examples=["msg_5f1c0e7a9d3b48e2a6c4d8f0b1e2a3c4"],
    )
    event: str = Field(description="`started`, `retried`, `input_required`, or how the task ended.")
    state: StateName
    attempts: int = Field(description="Tries whose outcome is known.", examples=[1])
    ordered_at: Instant
    next_try_at: Instant | None = Field(description="Null where no other follows.")
    last_try_at: Instant | None
    last_status: int | None = Field(
        description="What the receiver answered to the last try; null where it did not.",
        examples=[204],
    )
    last_error: str | None = Field(description="Why that did not deliver it.", examples=[None])
    ended_at: Instant | None


class CallbackShape(AnswerModel):
    url: str = Field(examples=["https://app.example.org/hooks/tasks"])
    events: list[str] = Field(examples=[["ended"]])
    secret_ref: str = Field(description="The name of the secret that signs.", examples=["default"])
    deliveries: list[TasksDeliveryShape] = Field(
        description="The latest twenty, the latest first; `GET /callbacks?task_id=` has all."
    )


class DeliveryShape(TasksDeliveryShape):
    task_id: TaskId
    url: str = Field(examples=["https://app.example.org/hooks/tasks"])
    secret_ref: str = Field(examples=["default"])


class CallbacksAnswer(AnswerModel):
    status: Success
    callbacks: list[DeliveryShape] = Field(description="The latest that were ordered first.")
    count: Count
    next_cursor: NextCursor
    timestamp: Instant


class RedrivenCallbacksAnswer(AnswerModel):
    status: Success
    message: str = Field(examples=["3 dead callbacks are tried again"])
    dry_run: bool
    redriven: int = Field(description="Or, with `dry_run`, how many would be.", examples=[3])
    timestamp: Instant


class CallbackEvent(AnswerModel):
    """Is what a receiver is sent: the event as CloudEvents 1.0 has it, as on the streams."""

    specversion: str = Field(examples=["1.0"])
    id: str = Field(description="Of the event; unique with `source`.")
    source: str = Field(examples=["/agents/hermes-agent"])
    type: str = Field(
        description="Of the event by which it came about: a dead task's is mostly `task.failed`.",
        examples=["task.completed"],
    )
    subject: str = Field(description="The task's id.")
    time: Instant
    datacontenttype: str = Field(examples=["application/json"])
    data: dict[str, Any] = Field(
        description="`task_id`, `generation`, `attempt`, `state` (of the task after the event), and what this"
        " type of event says beyond that. Of a result its size alone: ask `GET /tasks/{task_id}`.",
        examples=[{"task_id": "task-1", "state": "completed", "result_bytes": 11}],
    )


class CallbacksQuery(PageQuery):
    """Selects deliveries, a page at a time."""

    state: DeliveryState | None = Field(default=None, description="Where they stand.")
    task_id: FilterText | None = Field(default=None, description="The task that they are about.")
    host: FilterText | None = Field(default=None, description="The host of their URL.")


class RedriveCallbacksBody(BaseModel):
    """Selects the dead callbacks to try again."""

    model_config = refusing_unknown_keys(
        "Which dead callbacks are tried again: all, or those that match.",
        host="app.example.org",
        dry_run=True,
    )

    task_id: FilterText | None = Field(default=None, description="The task that they are about.")
    host: FilterText | None = Field(default=None, description="The host of their URL.")
    dry_run: bool | None = Field(default=None, description="Only count them.")


def delivery_shape(one: CallbackDelivery) -> dict[str, Any]:
    """A delivery as `DeliveryShape` describes it."""
    return {
        "task_id": one.task_id,
        "url": one.url,
        "secret_ref": one.secret_ref,
        **_standing(one),
    }


def callback_shape(asked: Callback, deliveries: Sequence[CallbackDelivery]) -> dict[str, Any]:
    """A task's callback as `CallbackShape` describes it."""
    return {
        "url": asked.url,
        "events": list(asked.events),
        "secret_ref": asked.secret_ref,
        "deliveries": [_standing(one) for one in deliveries],
    }


def _standing(one: CallbackDelivery) -> dict[str, Any]:
    pending = one.state is DeliveryState.PENDING
    return {
        "webhook_id": one.webhook_id,
        "event": one.event,
        "state": one.state.value,
        "attempts": one.attempts,
        "ordered_at": iso(one.ordered_at),
        "next_try_at": iso(one.due_at) if pending else None,
        "last_try_at": iso_or_none(one.tried_at),
        "last_status": one.status,
        "last_error": one.error,
        "ended_at": iso_or_none(one.ended_at),
    }
