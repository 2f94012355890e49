"""A message as both sides see it, whatever the driver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

__all__ = ["Message"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is published and what is delivered: a body and the properties that the project uses."""

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
