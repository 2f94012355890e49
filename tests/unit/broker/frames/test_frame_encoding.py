"""What is encoded here is, byte by byte, what the driver would have sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pamqp.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import commands
from pamqp.body import ContentBody
from pamqp.header import ContentHeader

from coordinator.broker.frames.frame_encoding import (
    ack_frame,
    get_frame,
    nack_frame,
    publish_frames,
    reject_frame,
)
from coordinator.protocol.message import Message

texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
keys = st.text(alphabet="abc.:-_", max_size=60)
headers = st.dictionaries(
    st.text(alphabet="abcdef_-", min_size=1, max_size=20),
    st.one_of(texts, st.integers(-(2**40), 2**40), st.booleans()),
    max_size=4,
)
messages = st.builds(
    Message,
    body=st.binary(max_size=300),
    message_id=st.none() | texts,
    type=st.none() | texts,
    content_type=st.none() | texts,
    headers=headers,
    persistent=st.booleans(),
    correlation_id=st.none() | texts,
    reply_to=st.none() | texts,
    expiration=st.none() | st.timedeltas(timedelta(0), timedelta(days=40)),
    timestamp=st.none() | st.integers(0, 2**33).map(lambda at: datetime.fromtimestamp(at, UTC)),
    user_id=st.none() | texts,
)


def by_the_driver(
    channel: int, frame_max: int, message: Message, to: tuple[str, str, bool]
) -> bytes:
    exchange, key, mandatory = to
    expiration = message.expiration
    properties = commands.Basic.Properties(
        content_type=message.content_type,
        headers=dict(message.headers) or None,
        delivery_mode=2 if message.persistent else 1,
        correlation_id=message.correlation_id,
        reply_to=message.reply_to,
        expiration=None if expiration is None else str(expiration // timedelta(milliseconds=1)),
        message_id=message.message_id,
        timestamp=message.timestamp,
        message_type=message.type,
        user_id=message.user_id,
    )
    most = frame_max - 8
    parts = [message.body[at : at + most] for at in range(0, len(message.body), most)]
    publish = commands.Basic.Publish(exchange=exchange, routing_key=key, mandatory=mandatory)
    frames: list[commands.Basic.Publish | ContentHeader | ContentBody]
    frames = [publish, ContentHeader(0, len(message.body), properties), *map(ContentBody, parts)]
    return b"".join(pamqp.frame.marshal(frame, channel) for frame in frames)


@given(
    channel=st.integers(1, 65535),
    frame_max=st.sampled_from([64, 300, 131072]),
    message=messages,
    exchange=keys,
    key=keys,
    mandatory=st.booleans(),
)
def test_the_bytes_are_those_of_the_driver(
    channel: int, frame_max: int, message: Message, exchange: str, key: str, mandatory: bool
) -> None:
    to = (exchange, key, mandatory)

    assert publish_frames(channel, frame_max, message, to) == by_the_driver(
        channel, frame_max, message, to
    )


@given(channel=st.integers(1, 65535), tag=st.integers(1, 2**62), multiple=st.booleans(), queue=keys)
def test_gets_and_settlements_are_those_of_the_driver(
    channel: int, tag: int, multiple: bool, queue: str
) -> None:
    for ours, theirs in (
        (get_frame(channel, queue), commands.Basic.Get(queue=queue)),
        (ack_frame(channel, tag, multiple=multiple), commands.Basic.Ack(tag, multiple)),
        (nack_frame(channel, tag, multiple=multiple), commands.Basic.Nack(tag, multiple, True)),
        (reject_frame(channel, tag), commands.Basic.Reject(tag, False)),
    ):
        assert ours == pamqp.frame.marshal(theirs, channel)


def test_a_word_that_amqp_has_no_room_for_is_refused() -> None:
    with pytest.raises(ValueError, match="255 bytes"):
        publish_frames(1, 131072, Message(body=b"", message_id="x" * 256), ("", "queue", False))
