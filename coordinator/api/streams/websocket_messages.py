"""Reads and writes the messages of a WebSocket: what a client asks for, and what it is told of that."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from coordinator.api.error_table import error_body, field_error
from coordinator.api.unknown_body_keys import unknown_keys
from coordinator.api.wire.fields.instants import timestamp
from coordinator.api.wire.fields.lenient_json import NO_BOOLEAN
from coordinator.errors import InvalidRequest
from coordinator.near_names import nearest
from coordinator.streaming.stream_frames import StreamEnd

from .event_stream_query import HIGHEST_POSITION, TYPES, EventFilters

__all__ = [
    "METRICS",
    "OUTPUT",
    "TOPICS",
    "Ask",
    "Ping",
    "Subscribe",
    "Topic",
    "Unsubscribe",
    "confirmed",
    "established",
    "ignored_keys",
    "read_message",
    "told_end",
    "told_error",
    "told_metrics",
    "told_notice",
]

Topic = Literal["tasks", "agents", "metrics", "output"]

METRICS: Topic = "metrics"
OUTPUT: Topic = "output"

TOPICS: dict[Topic, tuple[str, str]] = {
    "tasks": ("task.*", "what happens to tasks: submitted, started, completed and so on"),
    "agents": (
        "agent.*",
        "what happens to agents: registered, their status changed, stopped, removed",
    ),
    METRICS: ("", "the statistics of GET /tasks/status, every few seconds"),
    OUTPUT: ("", "what handlers say while they work: of the tasks in filter.task_id, or of all"),
}
"""The types of events of each topic, and what it is about."""


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True)


class Filters(EventFilters):
    """Narrows a topic, as those parameters of `GET /events` do; where it begins is no filter."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SubscribePayload(_Message):
    topic: Topic
    resume_from: Annotated[int, Field(ge=0, le=HIGHEST_POSITION), NO_BOOLEAN] | None = None
    """The position that the client has."""
    filter: Filters = Field(default_factory=Filters)


class TopicPayload(_Message):
    topic: Topic


class Subscribe(_Message):
    """Asks for the messages of a topic."""

    type: Literal["subscribe"]
    payload: SubscribePayload


class Unsubscribe(_Message):
    """Asks for no more of them."""

    type: Literal["unsubscribe"]
    payload: TopicPayload


class Ping(_Message):
    """Asks whether anybody is there, for clients that cannot send a ping of the protocol."""

    type: Literal["ping"]


Ask = Subscribe | Unsubscribe | Ping

_READ: TypeAdapter[Ask] = TypeAdapter(Annotated[Ask, Field(discriminator="type")])


def read_message(text: str) -> Ask:
    """Raises `InvalidRequest` with a sentence that says what is wrong."""
    try:
        return _READ.validate_json(text)
    except ValidationError as exc:
        error = exc.errors(include_url=False)[0]
        if error["type"] in ("json_invalid", "model_attributes_type", "dict_type"):
            raise InvalidRequest("A message must be a JSON object", field="message") from exc
        if error["type"].startswith("union_tag"):
            raise InvalidRequest(_KINDS, field="type") from exc
        told = field_error(error)
        if error["type"] == "extra_forbidden":
            told["message"] = _no_filter(told["field"])
        raise InvalidRequest(told["message"], field=told["field"]) from exc


def _no_filter(field: str) -> str:
    name = field.rpartition(".")[2]
    if name == "after":
        return f"{field}: give the position as resume_from, beside the topic"
    near = nearest(name, Filters.model_fields)
    guess = "" if near is None else f" did you mean {near}?"
    return f"{field}: there is no such filter:{guess} use {', '.join(Filters.model_fields)}"


def ignored_keys(text: str, ask: Ask) -> str | None:
    """A sentence that names the keys of the message that ``ask`` was read from and that mean nothing in it:
    without a misspelt `resume_from` a client would miss what it asked for. None where there are none.
    """
    return unknown_keys(from_json(text), type(ask))


_KINDS = 'A message needs a "type": "subscribe" or "unsubscribe", with {"payload": {"topic": …}}, or "ping"'


def established(agent_id: str | None) -> str:
    """The first message."""
    return _text(
        type="connection_established",
        agent_id=agent_id,
        timestamp=timestamp(),
        message="Subscribe to topics: "
        + "; ".join(f"{name}: {one[1]}" for name, one in TOPICS.items()),
        topics=list(TOPICS),
    )


def confirmed(
    what: str, topic: Topic, *, position: int | None = None, warning: str | None = None
) -> str:
    """``what`` is `subscription` or `unsubscription`; ``position`` is where it begins."""
    more = {"position": position, "warning": warning}
    return _text(
        type=f"{what}_confirmed",
        topic=topic,
        payload={"topic": topic},
        timestamp=timestamp(),
        **{name: value for name, value in more.items() if value is not None},
    )


def told_notice(name: str, topic: Topic, facts: dict[str, Any]) -> str:
    """What a stream tells of itself, with the name that it has there."""
    return _text(type=name, topic=topic, **facts)


def told_end(topic: Topic, why: StreamEnd) -> str:
    """The last message of a topic that the service ends."""
    return _text(type="stream.end", topic=topic, reason=why.reason, detail=why.detail)


def told_metrics(stats: dict[str, Any]) -> str:
    """The statistics as `GET /tasks/status` has them."""
    return _text(type="metrics", topic=METRICS, stats=stats, timestamp=timestamp())


def told_error(exc: Exception, topic: str | None = None) -> str:
    """Why something that was asked for is not done; the connection goes on."""
    status, body = error_body(exc, "subscribe")
    about = {} if topic is None else {"topic": topic}
    told = {name: body[name] for name in ("detail", "code", "timestamp")}
    return _text(type="error", status=status, **told, **about)


def pong() -> str:
    """The answer to a `Ping`."""
    return _text(type="pong", timestamp=timestamp())


def types_of(topic: Topic, asked: frozenset[str]) -> frozenset[str]:
    """Those of ``asked`` that are the topic's, or all of its. Raises `InvalidRequest` where none is."""
    own = TYPES[TOPICS[topic][0]]
    wanted = asked & own if asked else own
    if not wanted:
        raise InvalidRequest(
            f"filter.type: the topic {topic} has none of these: use {', '.join(sorted(own))}",
            field="filter.type",
        )
    return wanted


def tasks_of_output(wish: SubscribePayload) -> frozenset[str]:
    """The tasks whose partial output is asked for; none for all. Raises `InvalidRequest` for what output does
    not have.
    """
    if wish.resume_from is not None:
        raise InvalidRequest(
            "resume_from: partial output has no positions; what is kept of it comes first",
            field="resume_from",
        )
    further = sorted(wish.filter.model_fields_set - {"task_id"})
    if further:
        raise InvalidRequest(
            f"filter.{further[0]}: the topic output takes task_id alone",
            field=f"filter.{further[0]}",
        )
    return frozenset(wish.filter.task_id)


def _text(**fields: Any) -> str:
    return to_json(fields).decode()
