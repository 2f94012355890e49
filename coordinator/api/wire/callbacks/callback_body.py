"""Reads the callback of a submission."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from coordinator.api.wire.fields.body_configs import ignoring_unknown_keys
from coordinator.api.wire.fields.lenient_json import LIST
from coordinator.domain.callbacks.callback_events import DEFAULT_EVENTS, EVENT_WORDS
from coordinator.protocol.messages.task_message import Callback

__all__ = ["CallbackBody", "callback_of"]

DEFAULT_SECRET = "default"  # noqa: S105 - the name of a file


class CallbackBody(BaseModel):
    """Names a URL that is told of the task."""

    model_config = ignoring_unknown_keys(
        "Where to POST what becomes of the task, signed after the Standard Webhooks convention.",
        url="https://app.example.org/hooks/tasks",
        events=["ended"],
        secret_ref="default",  # noqa: S106 - the name of a file
    )

    url: str = Field(
        description="`https://`, without a user or a password; its host must have a public address, or one"
        " that COORDINATOR_CALLBACK_ALLOW names. Redirects are not followed.",
        json_schema_extra={"maxLength": 2048, "format": "uri"},
    )
    events: (
        Annotated[
            list[Annotated[str, Field(json_schema_extra={"enum": list(EVENT_WORDS)})]],
            Field(json_schema_extra={"minItems": 1, "maxItems": len(EVENT_WORDS)}),
            LIST,
        ]
        | None
    ) = Field(
        default=None,
        description="Of what it is told: `ended` is each of `completed`, `dead`, `cancelled` and `expired`;"
        f" `started` and `retried` come with each attempt, `input_required` with each question. By default"
        f" `{DEFAULT_EVENTS[0]}`.",
    )
    secret_ref: str | None = Field(
        default=None,
        description="The name of the secret that signs, one of those that the operator has put into"
        f" COORDINATOR_CALLBACK_SECRETS_DIR. By default `{DEFAULT_SECRET}`.",
        json_schema_extra={"pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"},
    )


def callback_of(body: CallbackBody | None) -> Callback | None:
    """The callback that ``body`` asks for; its values are not checked here."""
    if body is None:
        return None
    return Callback.model_construct(
        url=body.url,
        events=DEFAULT_EVENTS if body.events is None else tuple(dict.fromkeys(body.events)),
        secret_ref=DEFAULT_SECRET if body.secret_ref is None else body.secret_ref,
    )
