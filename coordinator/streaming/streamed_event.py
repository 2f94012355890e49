"""Encodes an event for subscribers: once, however many they are, and not before one of them wants it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic_core import to_json

from coordinator.protocol.messages.cloudevents import SPEC_VERSION, source
from coordinator.registry.feed.recorded_events import RecordedEvent

from .stream_frames import told

__all__ = ["MissingEvents", "StreamedEvent", "joined_frames"]

CHUNK = 32 * 1024
"""Bytes of frames that are sent as one piece: a connection holds one while its client does not read."""


class StreamedEvent:
    """An event of the ledger as CloudEvents 1.0 has it in JSON, within a frame of server-sent events."""

    def __init__(self, recorded: RecordedEvent) -> None:
        self.recorded = recorded
        self.size = 2 * len(recorded.data) + 600
        """Bytes that it takes in memory, about, once it was encoded."""

    @property
    def position(self) -> int:
        return self.recorded.position

    @cached_property
    def json(self) -> str | None:
        """One line, with what `RecordedEvent.cloudevent` has; None where the event cannot be read, which is
        logged.
        """
        one = self.recorded
        told = one.told()
        if told is None:
            return None
        # Written rather than encoded as a whole: half of what an event costs would be that.
        subject = f'"subject":{_text(one.subject)},' if one.subject else ""
        return (
            f'{{"specversion":"{SPEC_VERSION}","id":{_text(one.event_id)},"type":{_text(one.type)},'
            f'"source":"{source(one.author)}",{subject}"time":"{one.time.isoformat()}",'
            f'"datacontenttype":"application/json","data":{to_json(told).decode()}}}'
        )

    @cached_property
    def frame(self) -> bytes:
        """With the position as its `id` and the type as its `event`; empty where it cannot be read."""
        if self.json is None:
            return b""
        # As `ServerSentEvent` writes it, which looks for ends of lines first: JSON and types have none.
        lines = f"id: {self.position}\nevent: {self.recorded.type}\ndata: {self.json}\n\n"
        return lines.encode()

    @cached_property
    def message(self) -> str | None:
        """For a WebSocket, with its topic and position; None where it cannot be read."""
        if self.json is None:
            return None
        topic = "tasks" if self.recorded.is_of_task else "agents"
        return (
            f'{{"type":"event","topic":"{topic}","position":{self.position},"event":{self.json}}}'
        )


def _text(value: str) -> str:
    """As JSON has it."""
    return to_json(value).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingEvents:
    """Stands for events between two positions that were deleted with their tasks before they were read."""

    after: int
    until: int
    """The last that is missing."""

    @property
    def size(self) -> int:
        return 600

    @property
    def facts(self) -> dict[str, Any]:
        detail = (
            f"Of the events after position {self.after} those of tasks that were forgotten or deleted since"
            f" are missing, up to position {self.until}: what is kept follows"
        )
        return {"after": self.after, "until": self.until, "detail": detail}

    @property
    def frame(self) -> bytes:
        """Without an id: who comes back now is told again."""
        return told("stream.incomplete", self.facts)


def joined_frames(events: Iterable[StreamedEvent | MissingEvents]) -> list[bytes]:
    """Their frames in pieces of about `CHUNK` bytes."""
    return list(_joined_frames(events))


def _joined_frames(events: Iterable[StreamedEvent | MissingEvents]) -> Iterator[bytes]:
    frames: list[bytes] = []
    size = 0
    for event in events:
        frames.append(event.frame)
        size += len(event.frame)
        if size >= CHUNK:
            yield b"".join(frames)
            frames, size = [], 0
    if size:
        yield b"".join(frames)
