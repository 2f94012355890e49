"""Reads which events a subscriber wants, and after which position."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from coordinator.api.wire.fields.page_fields import FilterText
from coordinator.domain.task import State
from coordinator.errors import InvalidRequest
from coordinator.near_names import nearest, quoted
from coordinator.protocol.messages.events import (
    EVENT_TYPES,
    AgentHeartbeat,
    TaskDeadLettered,
    TaskSubmitted,
)
from coordinator.protocol.priority import Priority
from coordinator.streaming.event_filter import EventFilter

__all__ = [
    "HIGHEST_POSITION",
    "EventFilters",
    "EventStreamQuery",
    "TaskStreamQuery",
    "last_event_position",
]

HIGHEST_POSITION = 2**63 - 1

LONGEST_POSITION = len(str(HIGHEST_POSITION))
"""Digits: Python reads no number of some thousands."""

MOST_VALUES = 100
"""Ids in one filter."""

_TYPES = sorted(
    ({TaskSubmitted.TYPE, TaskDeadLettered.TYPE} | EVENT_TYPES.keys()) - {AgentHeartbeat.TYPE}
)
_NOUNS = ("task", "agent")
TYPES = {
    **{name: frozenset({name}) for name in _TYPES if name.startswith(_NOUNS)},
    **{
        f"{noun}.*": frozenset(name for name in _TYPES if name.startswith(f"{noun}."))
        for noun in _NOUNS
    },
}
"""What may be asked for, and the types of events that it means. Heartbeats are in no ledger."""


def _known(value: str) -> str:
    if value not in TYPES:
        near = nearest(value, TYPES)
        guess = "" if near is None else f" did you mean {near}?"
        raise ValueError(f"{quoted(value)} is no type of event:{guess} use {', '.join(TYPES)}")
    return value


def _all_keys(schema: dict[str, Any]) -> None:
    schema["enum"] = list(TYPES)


EventTypeName = Annotated[str, AfterValidator(_known), Field(json_schema_extra=_all_keys)]

Token = Annotated[
    str | None,
    Field(description="A credential, for browsers, which send no header with such a request."),
]

Ids = Annotated[list[Annotated[FilterText, Field(min_length=1)]], Field(max_length=MOST_VALUES)]
"""An empty one is most likely a variable that is not set, and would be waited for without end."""


class TaskStreamQuery(BaseModel):
    """Says from which position on the events of one task are streamed."""

    model_config = ConfigDict(frozen=True)

    after: int | None = Field(
        default=None,
        ge=0,
        le=HIGHEST_POSITION,
        description="The position that the subscriber has: what comes after it is streamed. The header"
        " `Last-Event-ID` counts before it. Without either, the timeline from its beginning.",
    )
    token: Token = None


class EventFilters(BaseModel):
    """Selects the events that match all filters, each by one of its values."""

    model_config = ConfigDict(frozen=True)

    task_id: Ids = Field(default=[], description="Of one of these tasks.")
    agent_id: Ids = Field(default=[], description="About, or stated by, one of these agents.")
    type: list[EventTypeName] = Field(
        default=[],
        description="One of these types; `task.*` and `agent.*` stand for all of theirs.",
    )
    priority: list[Priority] = Field(
        default=[], description="Of a task of one of these priorities."
    )
    state: list[State] = Field(
        default=[], description="Of a task that is in one of these states after the event."
    )
    group: Ids = Field(default=[], description="Of a task of one of these groups.")
    tag: Ids = Field(default=[], description="Of a task that has one of these tags.")

    def filter(self, submitted_by: str | None) -> EventFilter:
        """The filter that is asked for, and of the tasks of one caller alone where one is given."""
        return EventFilter(
            task_ids=frozenset(self.task_id),
            agent_ids=frozenset(self.agent_id),
            types=frozenset(one for name in self.type for one in TYPES[name]),
            priorities=frozenset(one.value for one in self.priority),
            states=frozenset(one.value for one in self.state),
            groups=frozenset(self.group),
            tags=frozenset(self.tag),
            submitted_by=submitted_by,
        )


class EventStreamQuery(EventFilters):
    """Says which events are streamed, and from which position on."""

    after: int | None = Field(
        default=None,
        ge=0,
        le=HIGHEST_POSITION,
        description="The position that the subscriber has: what comes after it is replayed first, 0 for all"
        " that is kept. The header `Last-Event-ID` counts before it. Without either, what happens from now"
        " on; where it is not followed, all that is kept.",
    )
    follow: bool = Field(
        default=True,
        description="Whether it goes on with what happens. Otherwise it ends after what there is, with"
        " `stream.end` and the reason `caught-up`.",
    )
    token: Token = None


def last_event_position(header: str, after: int | None) -> int | None:
    """The position that a subscriber has: ``header`` is its `Last-Event-ID`, by which a browser goes on with
    the same query as at first; empty for none. Raises `InvalidRequest` where it is no position.
    """
    if not header:
        return after
    plain = header.isascii() and header.isdigit() and len(header) <= LONGEST_POSITION
    if not plain or int(header) > HIGHEST_POSITION:
        raise InvalidRequest(
            f"Last-Event-ID is {quoted(header)}, which is no position: send the last `id` that came, or"
            " `?after=` with it",
            field="Last-Event-ID",
        )
    return int(header)
