"""What is said about agents, as each process hears it."""

from __future__ import annotations

from typing import Any, cast

from coordinator.broker.channel import Channel, Delivery
from coordinator.domain.announced_types import AnnouncedTypes
from coordinator.protocol.codec import encode_batch
from coordinator.protocol.message import Message
from coordinator.registry.live_reader import LiveReader
from tests.unit.registry.fleet import Fleet, registered


def batch_of(*bodies: bytes) -> Message:
    message = encode_batch([registered("ada"), registered("ada")])[1]
    return Message(body=b"[" + b",".join(bodies) + b"]", content_type=message.content_type)


async def test_one_bad_event_of_a_batch_does_not_hide_the_others() -> None:
    fleet = Fleet()
    nothing: Any = None
    reader = LiveReader(
        process="one",
        agents=fleet,
        snapshots=nothing,
        book=nothing,
        types=AnnouncedTypes(),
        commands=nothing,
        watching=cast("Any", type("Watching", (), {"catching_up": None, "waiters": None})),
    )
    event = b'{"id":"%d","type":"agent.registered","data":{"agent_id":"%b","agent_type":"worker"}}'
    message = batch_of(event % (1, b"bob"), b'{"id":tru}', event % (2, b"ada"))
    reader._take(
        Delivery(
            message=message,
            exchange="coordinator.events",
            routing_key="agent.ada.batch",
            redelivered=False,
            tag=1,
            channel=cast("Channel", None),
        )
    )
    assert [known.agent_id for known in fleet.find()] == ["ada"]
