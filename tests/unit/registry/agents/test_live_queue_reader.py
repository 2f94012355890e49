"""What is said about agents, as each process hears it."""

from __future__ import annotations

from typing import Any, cast

import pytest

from coordinator.broker.channel import Channel, Delivery
from coordinator.domain.announced_types import AnnouncedTypes
from coordinator.protocol.message import Message
from coordinator.protocol.messages.event_codec.event_encoding import encode_batch
from coordinator.registry.agents.live_queue_reader import LedgerWaiters, LiveQueueReader
from tests.unit.registry.fleet import Fleet, registered


def batch_of(*bodies: bytes) -> Message:
    message = encode_batch([registered("ada"), registered("ada")])[1]
    return Message(body=b"[" + b",".join(bodies) + b"]", content_type=message.content_type)


def reader_of(fleet: Fleet) -> LiveQueueReader:
    nothing: Any = None
    return LiveQueueReader(
        process="one",
        agents=fleet,
        snapshots=nothing,
        book=nothing,
        types=AnnouncedTypes(),
        corrections=nothing,
        watching=LedgerWaiters(
            catching_up=cast("Any", None),
            waiters=cast("Any", None),
            group_waiters=cast("Any", None),
        ),
    )


def delivered(message: Message, key: str) -> Delivery:
    return Delivery(
        message=message,
        exchange="coordinator.events",
        routing_key=key,
        redelivered=False,
        tag=1,
        channel=cast("Channel", None),
    )


async def test_one_bad_event_of_a_batch_does_not_hide_the_others() -> None:
    fleet = Fleet()
    event = b'{"id":"%d","type":"agent.registered","data":{"agent_id":"%b","agent_type":"worker"}}'
    message = batch_of(event % (1, b"bob"), b'{"id":tru}', event % (2, b"ada"))
    reader_of(fleet)._take(delivered(message, "agent.ada.batch"))
    assert [known.agent_id for known in fleet.find()] == ["ada"]


async def test_a_heartbeat_that_does_not_count_is_told_once_with_the_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    reader = reader_of(Fleet())
    for _ in range(3):
        beat = Message(body=b'{"agent": "ada"}', type="agent.heartbeat")
        reader._take(delivered(beat, "agent.ada.heartbeat"))
    (record,) = [one for one in caplog.records if one.levelname == "WARNING"]
    assert record.__dict__["why"] == "agent.heartbeat: agent_id: Field required"
    assert record.__dict__["routing_key"] == "agent.ada.heartbeat"
