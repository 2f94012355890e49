"""Events carry CloudEvents' extension for distributed tracing, in every form, and count without it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from coordinator.protocol.message import Message
from coordinator.protocol.messages.event_codec.event_encoding import (
    encode,
    encode_batch,
    routing_key,
)
from coordinator.protocol.messages.event_codec.event_reading import read
from coordinator.protocol.messages.events import Event, TaskStarted
from coordinator.protocol.trace_context import TraceContext

TRACE = TraceContext("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "vendor=1")


def started(trace: TraceContext | None) -> Event:
    return Event(data=TaskStarted(task_id="t", agent_id="ada"), trace=trace)


def only(message: Message, key: str = "task.ada.started") -> Event:
    (event,) = read(message, key)
    assert isinstance(event, Event), event
    return event


def test_one_event_has_it_as_attributes() -> None:
    event = started(TRACE)
    message = encode(event)
    assert message.headers["cloudEvents_traceparent"] == TRACE.traceparent
    assert message.headers["cloudEvents_tracestate"] == "vendor=1"
    assert only(message).trace == TRACE


def test_each_event_of_a_batch_has_its_own() -> None:
    other = TraceContext(TRACE.traceparent.replace("b7", "a7"))
    events = [started(TRACE), started(None), started(other)]
    key, message = encode_batch(events)
    first, second, third = json.loads(message.body)
    assert (first["traceparent"], first["tracestate"]) == TRACE
    assert "traceparent" not in second
    assert "tracestate" not in third
    read_again = read(message, key)
    assert [one.trace for one in read_again if isinstance(one, Event)] == [TRACE, None, other]


@pytest.mark.parametrize("prefix", ["cloudEvents:", "ce-", ""])
def test_it_is_read_however_its_header_is_spelt(prefix: str) -> None:
    event = started(None)
    message = encode(event)
    headers = {**message.headers, f"{prefix}traceparent": TRACE.traceparent}
    assert only(replace(message, headers=headers)).trace == TraceContext(TRACE.traceparent)


def test_one_that_cannot_be_read_is_left_out_and_told() -> None:
    event = started(None)
    message = encode(event)
    headers = {**message.headers, "cloudEvents_traceparent": "nonsense"}
    found = only(replace(message, headers=headers))
    assert (found.id, found.data, found.trace) == (event.id, event.data, None)
    assert [one.field for one in found.left_out] == ["traceparent"]


def test_an_event_without_a_trace_is_as_before() -> None:
    assert not [name for name in encode(started(None)).headers if "trace" in name]
    assert routing_key(started(TRACE).data) == "task.ada.started"
