"""Describes the POST that a receiver of callbacks gets, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

__all__ = ["CALLBACK_PLACES", "callback_operation"]

CALLBACK_PLACES = {
    "submit_task": "{$request.body#/callback/url}",
    "create_schedule": "{$request.body#/task/callback/url}",
}
"""By endpoint: where in its request the URL is."""

_ABOUT = (
    "At least once, after the Standard Webhooks convention. Any 2xx delivers it, 410 ends it, and after"
    " anything else it is tried again for a day, with longer and longer pauses."
)

_SIGNATURE = (
    "`v1,` and the base64 of HMAC-SHA256 over id, timestamp and body, with full stops between; one for each"
    " secret, with a space between."
)

_HEADERS = {
    "webhook-id": (
        "The same for each try: what has come before is taken once.",
        "msg_5f1c0e7a9d3b48e2",
    ),
    "webhook-timestamp": ("When this try was made, in seconds of Unix.", "1769860800"),
    "webhook-signature": (
        _SIGNATURE,
        "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    ),
}


def callback_operation(event: dict[str, str]) -> dict[str, Any]:
    """The operation, whose body is the ``event`` that a reference leads to."""
    return {
        "post": {
            "summary": "Tell what became of the task",
            "description": _ABOUT,
            "parameters": [
                {
                    "name": name,
                    "in": "header",
                    "required": True,
                    "description": description,
                    "schema": {"type": "string"},
                    "example": example,
                }
                for name, (description, example) in _HEADERS.items()
            ],
            "requestBody": {
                "required": True,
                "content": {"application/cloudevents+json": {"schema": event}},
            },
            "responses": {
                "2XX": {"description": "Delivered"},
                "410": {"description": "The receiver wants no more of this"},
                "429": {"description": "Later: `Retry-After` is honoured, as with 503"},
            },
        }
    }
