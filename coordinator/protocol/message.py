"""Holds a message's body and properties as both sides see it, whatever the AMQP driver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

__all__ = ["Message"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message to publish, or a delivered one: a body and the properties that the project uses."""

    body: bytes
    message_id: str | None = None
    type: str | None = None
    content_type: str | None = "application/json"
    headers: Mapping[str, Any] = field(default_factory=dict)
    persistent: bool = True
    correlation_id: str | None = None
    reply_to: str | None = None
    expiration: timedelta | None = None
    """How long it may wait in a queue; None means for ever."""
    timestamp: datetime | None = None
    user_id: str | None = None
    """Validated by the broker where it is set: the name of the user who published."""

    def republished(self) -> Message:
        """This message as it may be published again.

        Without the broker's own headers: a second lap with them is lost silently on RabbitMQ 3.10.
        Without `CC` and `BCC`, which would add routes, and without `user_id`, which the broker
        refuses from anybody but that user.
        """
        headers = {
            name: value
            for name, value in self.headers.items()
            if not name.startswith("x-") and name not in _ROUTING_HEADERS
        }
        return replace(self, headers=headers, user_id=None)


_ROUTING_HEADERS = frozenset({"CC", "BCC"})
