"""Reads the events of a message in tests, where each of them must be good."""

from __future__ import annotations

from coordinator.protocol.message import Message
from coordinator.protocol.messages.event_codec.event_reading import Refused, read
from coordinator.protocol.messages.events import Event

__all__ = ["decode"]


def decode(message: Message, key: str) -> list[Event]:
    """Every event in a message, for those who take it whole or not at all. Raises `MalformedMessage`
    or `ForgedIdentity`.
    """
    events: list[Event] = []
    for one in read(message, key):
        if isinstance(one, Refused):
            raise one.why
        events.append(one)
    return events
