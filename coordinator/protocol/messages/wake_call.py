"""Defines the message that wakes one sleeping agent, and the name of the queue where agents of one kind wait
for it.

Agents of one kind may do the same tasks, but for those that name an agent. A call wakes one of them, since
they compete for it.
"""

from __future__ import annotations

import hashlib
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from coordinator.protocol.message import Message
from coordinator.protocol.name_encoding import encode_word
from coordinator.protocol.requirements import Profile

__all__ = ["WAKE", "WakeCall", "wake_queue"]

WAKE = "wake"
"""The AMQP `type` of a call."""


class WakeCall(BaseModel):
    """Wakes whoever receives it: it looks for work once. What it carries may be ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    consumed: list[str] = Field(default_factory=list)
    """Queues that the caller consumed while it rested, and leaves: whoever finds no work consumes them
    in its place. The broker goes on counting the caller as their consumer for as long as its task runs."""

    more: int | None = Field(default=None, ge=0)
    """How many others the one that is woken may wake in its turn, and those whom they wake; None for as
    many as it finds tasks for."""

    def to_message(self) -> Message:
        """Of no worth once the broker was restarted."""
        return Message(
            body=self.model_dump_json(exclude_defaults=True).encode(), type=WAKE, persistent=False
        )

    @classmethod
    def from_message(cls, message: Message) -> Self:
        """One that cannot be read wakes all the same."""
        try:
            return cls.model_validate_json(message.body)
        except ValidationError:
            return cls()


def wake_queue(profile: Profile) -> str:
    """The same for all agents of one kind: its type, capabilities, services and task types, not its id."""
    kind = [
        profile.agent_type,
        *sorted(profile.capabilities),
        "",
        *sorted(profile.services),
        "",
        *(["*"] if profile.task_types is None else sorted(profile.task_types)),
    ]
    digest = hashlib.sha256("\n".join(kind).encode()).hexdigest()[:16]
    return f"wake.{encode_word(profile.agent_type)}.{digest}"
