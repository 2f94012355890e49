"""Writes the frames of server-sent events that are no event of the ledger: what a stream tells of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json
from sse_starlette.event import ServerSentEvent

__all__ = [
    "ALL_OF_IT",
    "CAUGHT_UP",
    "NOT_ALLOWED",
    "STOPPING",
    "TOO_SLOW",
    "UNREADABLE",
    "StreamEnd",
    "ahead",
    "come_again",
    "end",
    "end_of_task",
    "heartbeat",
    "opening",
    "told",
]

RETRY = 2000
"""Milliseconds after which a browser comes back."""

ALL_OF_IT = "end"
"""The id of the last frame of a task's stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEnd:
    """Says why a stream is ended by the service."""

    reason: str
    """A word for programs."""
    detail: str
    """A sentence for people."""


TOO_SLOW = StreamEnd(
    reason="too-slow",
    detail="More has happened than was read: come back with the last id as Last-Event-ID, and ask for less"
    " with filters if that happens again",
)
STOPPING = StreamEnd(
    reason="stopping",
    detail="This process stops: come back with the last id as Last-Event-ID, to it or to another",
)
NOT_ALLOWED = StreamEnd(
    reason="not-allowed", detail="The credential of this stream does not count any more"
)
CAUGHT_UP = StreamEnd(
    reason="caught-up",
    detail="All that there was has been told: come back with the last id as Last-Event-ID for what is new",
)
UNREADABLE = StreamEnd(
    reason="unavailable",
    detail="The database cannot be read right now: come back with the last id as Last-Event-ID",
)


def opening(position: int) -> bytes:
    """The first frame, so that the answer begins at once: where the stream begins, which is the client's last
    id from now on.
    """
    return _frame(comment="connected", id=str(position), retry=RETRY)


def heartbeat(position: int) -> bytes:
    """A comment where nothing has come for a while, with the position up to which everything was told."""
    return _frame(comment="heartbeat", id=str(position))


def ahead(end_of_ledger: int) -> bytes:
    """The subscriber has a position that this ledger has not reached: it begins at the end."""
    detail = (
        f"The ledger ends at position {end_of_ledger}, before the one that was asked for: that is of another"
        " ledger, or of this one before a backup was put back. What happens from now on follows"
    )
    facts = {"until": end_of_ledger, "detail": detail}
    return told("stream.reset", facts, position=end_of_ledger)


def end(why: StreamEnd, *, position: int | None = None) -> bytes:
    """The last frame of a stream that the service ends; ``position`` as for `told`."""
    return told("stream.end", {"reason": why.reason, "detail": why.detail}, position=position)


def come_again(why: str) -> bytes:
    """All of an answer to a client that has come back and cannot be served right now: it comes again, with
    the id that it has.
    """
    facts = {"reason": UNREADABLE.reason, "detail": why}
    return _frame(data=to_json(facts).decode(), event="stream.end", retry=RETRY)


def end_of_task(task: dict[str, Any]) -> bytes:
    """The last frame of a task's stream: the task in JSON, as it stands at its end. A client that comes back
    with this id has had all.
    """
    facts = {"reason": "task-ended", "detail": "The task has ended", "task": task}
    return _frame(data=to_json(facts).decode(), event="stream.end", id=ALL_OF_IT)


def told(name: str, facts: dict[str, Any], *, position: int | None = None) -> bytes:
    """A frame with JSON; with a ``position`` where that is the client's last id from now on."""
    place = {} if position is None else {"id": str(position)}
    return _frame(data=to_json(facts).decode(), event=name, **place)


def _frame(**fields: Any) -> bytes:
    return ServerSentEvent(**fields, sep="\n").encode()
