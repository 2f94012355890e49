"""Each type of event that the project writes is valid to CloudEvents' own SDK, however it is sent."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.bindings import amqp
from cloudevents.core.bindings.amqp import AMQPMessage
from cloudevents.core.formats.json import JSONFormat

from coordinator.protocol.messages.event_codec.event_encoding import encode, encode_batch
from coordinator.protocol.messages.events import EVENT_TYPES, AttemptError, Event

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

#: What the types need; each takes what it has.
GIVEN: dict[str, Any] = {
    "task_id": "t",
    "agent_id": "é / ?",
    "task_token": "x",
    "error": AttemptError(message="boom"),
    "reason": "requested",
    "started_by": "ada",
    "started_at": NOW,
    "message": "why",
    "agent_type": "worker",
    "status": "busy",
    "lane": "any",
    "priority": "low",
    "marks": ["m"],
    "tasks": [],
    "problems": ["why"],
    "size": 3000,
    "limit": 2000,
    "process": "p",
    "question_id": "1",
    "question": "go on?",
    "question_digest": "0123",
}

EVENTS = [Event(data=model.model_validate(GIVEN), time=NOW) for model in EVENT_TYPES.values()]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_an_event_in_binary_mode_is_read_by_the_sdk(event: Event) -> None:
    message = encode(event)
    assert message.content_type is not None
    read = amqp.from_amqp_event(
        AMQPMessage(
            properties={"content-type": message.content_type},
            application_properties=dict(message.headers),
            application_data=message.body,
        )
    )
    assert (read.get_id(), read.get_type(), read.get_time()) == (event.id, event.type, NOW)
    assert read.get_subject() == (event.data.subject or None)
    assert read.get_data() == json.loads(message.body)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_an_event_of_a_batch_is_read_by_the_sdk(event: Event) -> None:
    """By itself: this SDK reads no batches."""
    _, message = encode_batch([event, event])
    for item in json.loads(message.body):
        read = JSONFormat().read(None, json.dumps(item))
        assert (read.get_id(), read.get_type(), read.get_time()) == (event.id, event.type, NOW)
