"""What comes from the broker reaches its inlet or the driver, whole and in order, however it is cut."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pamqp.decode
import pamqp.encode
import pamqp.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import commands
from pamqp.body import ContentBody
from pamqp.header import ContentHeader
from pamqp.heartbeat import Heartbeat

from coordinator.broker.frames.frame_decoding import read_message
from coordinator.broker.frames.frame_encoding import publish_frames
from coordinator.broker.frames.frame_reader import FrameReader
from coordinator.errors import OutcomeUnknown, PublishRefused
from coordinator.protocol.message import Message
from tests.unit.broker.frames.test_frame_encoding import messages

INLET, OTHER = 3, 4

names = st.text(max_size=20)
"""Of headers."""

IN_MILLISECONDS = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
"""What a Java client may take for seconds; the driver reads it so, too."""


def delivered(message: Message, *, channel: int = INLET, tag: str = "t", number: int = 1) -> bytes:
    """As the broker sends it."""
    whole = publish_frames(channel, 131072, message, ("", "", False))
    method_end = 8 + int.from_bytes(whole[3:7], "big")
    deliver = commands.Basic.Deliver(
        consumer_tag=tag, delivery_tag=number, redelivered=True, exchange="ex", routing_key="a.b"
    )
    return pamqp.frame.marshal(deliver, channel) + whole[method_end:]


def method(frame: Any, channel: int = INLET) -> bytes:
    return pamqp.frame.marshal(frame, channel)


async def rest_of(intake: FrameReader) -> bytes:
    """What the driver was given."""
    intake.feed_eof()
    return await intake.read()


def content(body: bytes) -> bytes:
    """The frames behind the one that says what it is."""
    header = pamqp.frame.marshal(ContentHeader(0, len(body), commands.Basic.Properties()), INLET)
    return header + (pamqp.frame.marshal(ContentBody(body), INLET) if body else b"")


def an_intake() -> FrameReader:
    return FrameReader(asyncio.get_running_loop())


@given(message=messages)
def test_a_message_is_read_as_it_was_written(message: Message) -> None:
    whole = publish_frames(1, 131072, message, ("", "", False))
    method_end = 8 + int.from_bytes(whole[3:7], "big")
    header_end = method_end + 8 + int.from_bytes(whole[method_end + 3 : method_end + 7], "big")

    read = read_message(whole[method_end + 7 : header_end - 1], message.body)

    assert read.body == message.body
    assert read.headers == message.headers
    assert (read.message_id, read.type, read.content_type, read.user_id) == (
        *(message.message_id, message.type, message.content_type, message.user_id),
    )
    assert (read.persistent, read.correlation_id, read.reply_to) == (
        *(message.persistent, message.correlation_id, message.reply_to),
    )


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text() | st.floats(width=32),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=5,
)


@given(table=st.dictionaries(names, values, max_size=6))
def test_headers_are_read_as_the_driver_reads_them(table: dict[str, Any]) -> None:
    data = pamqp.encode.field_table(table)
    expected = pamqp.decode.field_table(data)[1]

    read = read_message(struct.pack(">HHQH", 60, 0, 1, 1 << 13) + data, b"x")

    assert repr(read.headers) == repr(expected)


@given(table=st.dictionaries(names, values, max_size=6), cut=st.integers(0, 200))
def test_headers_that_are_cut_short_end_nothing(table: dict[str, Any], cut: int) -> None:
    data = pamqp.encode.field_table(table)[4:][:cut]
    whole = struct.pack(">I", len(data)) + data
    read = read_message(struct.pack(">HHQH", 60, 0, 1, 1 << 13) + whole, b"x")
    assert isinstance(read.headers, dict)


def test_headers_within_headers_without_end_are_left_out() -> None:
    table = b""
    for _ in range(5000):
        table = b"\x01aF" + struct.pack(">I", len(table)) + table
    header = struct.pack(">HHQH", 60, 0, 1, 1 << 13) + struct.pack(">I", len(table)) + table

    assert read_message(header, b"x").headers == {}


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (b"T" + struct.pack(">q", -62135596800), struct.pack(">q", -62135596800)),  # Go's zero time
        (b"T" + struct.pack(">Q", 1795877960000000), struct.pack(">Q", 1795877960000000)),
        (b"F\x00\x00\x00\x03\x01\xffV", None),
        (b"A\x00\x00\x00\x09T" + b"\xff" * 8, None),
    ],
    ids=["a year of no calendar", "microseconds", "a name that is no text", "in an array"],
)
def test_a_header_that_nobody_can_read_takes_no_other_with_it(
    value: bytes, read: bytes | None
) -> None:
    table = b"\x01aS\x00\x00\x00\x01x"
    table += b"\x01t" + value + b"\x01b" + b"I" + struct.pack(">i", 7)
    header = struct.pack(">HHQH", 60, 0, 1, 1 << 13) + struct.pack(">I", len(table)) + table
    expected = {"a": "x", "b": 7} | ({} if read is None else {"t": read})
    assert read_message(header, b"x").headers == expected


@given(data=st.binary(max_size=60))
def test_headers_that_nobody_can_read_are_left_out(data: bytes) -> None:
    table = struct.pack(">I", len(data)) + data
    read = read_message(struct.pack(">HHQH", 60, 0, 1, 1 << 13) + table, b"x")
    assert isinstance(read.headers, dict)


def test_properties_that_are_not_used_here_are_passed_over() -> None:
    properties = commands.Basic.Properties(
        content_encoding="gzip",
        priority=3,
        message_id="m",
        app_id="app",
        timestamp=datetime(2026, 1, 1, tzinfo=UTC),
    )

    read = read_message(ContentHeader(0, 1, properties).marshal(), b"x")

    assert (read.message_id, read.timestamp) == ("m", datetime(2026, 1, 1, tzinfo=UTC))


@given(
    sent=st.lists(messages, min_size=1, max_size=4), cuts=st.lists(st.integers(1, 60), max_size=20)
)
async def test_deliveries_arrive_however_they_are_cut(
    sent: Sequence[Message], cuts: Sequence[int]
) -> None:
    intake = an_intake()
    arrived: list[tuple[bytes, str, str, bool, int]] = []
    intake.inlet(INLET).consumers["t"] = lambda one: arrived.append((one.message.body, *one[1:]))
    foreign = [method(commands.Basic.Ack(number, False), OTHER) for number in range(len(sent))]
    data = b"".join(
        delivered(one, number=number) + between
        for number, (one, between) in enumerate(zip(sent, foreign, strict=True))
    )

    for cut in cuts:
        intake.feed_data(data[:cut])
        data = data[cut:]
    intake.feed_data(data)

    assert arrived == [(one.body, "ex", "a.b", True, n) for n, one in enumerate(sent)]
    got = (await rest_of(intake)).replace(method(Heartbeat(), 0), b"")
    assert got == b"".join(foreign)


async def test_what_no_inlet_asked_for_goes_to_the_driver_with_its_content() -> None:
    intake = an_intake()
    intake.inlet(INLET)
    got = method(commands.Basic.GetOk(1, False, "", "q", 0)) + content(b"ab")

    intake.feed_data(got)

    assert await rest_of(intake) == got


async def test_gets_are_answered_in_the_order_in_which_they_were_asked() -> None:
    intake = an_intake()
    inlet = intake.inlet(INLET)
    one, two, three = (asyncio.get_running_loop().create_future() for _ in range(3))
    inlet.getting.extend([one, two, three])

    intake.feed_data(method(commands.Basic.GetOk(7, True, "ex", "q", 0)) + content(b"ab"))
    intake.feed_data(method(commands.Basic.GetEmpty()))

    assert one.result()[1:] == ("ex", "q", True, 7)
    assert one.result().message.body == b"ab"
    assert two.result() is None
    assert not three.done()
    assert await rest_of(intake) == method(Heartbeat(), 0), "the driver is given but a sign of life"


async def test_what_comes_for_a_get_that_was_cancelled_is_given_back() -> None:
    intake = an_intake()
    inlet = intake.inlet(INLET)
    back: list[int] = []
    inlet.give_back = back.append
    one, two, three = (asyncio.get_running_loop().create_future() for _ in range(3))
    inlet.getting.extend([one, two, three])

    one.cancel()
    two.cancel()
    intake.feed_data(method(commands.Basic.GetOk(7, False, "", "q", 0)) + content(b"ab"))
    intake.feed_data(method(commands.Basic.GetEmpty()))
    intake.feed_data(method(commands.Basic.GetOk(8, False, "", "q", 0)) + content(b""))

    assert back == [7]
    assert three.result().tag == 8


@pytest.mark.parametrize(
    ("properties", "kept"),
    [
        # flags, then the values in the order of the flags
        (struct.pack(">HQ", 1 << 6, 2**64 - 1), {"timestamp": None}),
        (struct.pack(">HQ", 1 << 6, 1_700_000_000_000), {"timestamp": IN_MILLISECONDS}),
        (struct.pack(">HI4s", 1 << 13, 4, b"\x01aZ\x00"), {"headers": {}}),
        (struct.pack(">HI4s", 1 << 13, 4, b"\x01\xfft\x01"), {"headers": {}}),
        (struct.pack(">HI4sB2s", 1 << 13 | 1 << 7, 4, b"\x09atx", 2, b"id"), {"message_id": "id"}),
        (struct.pack(">HB2s", 1 << 7, 2, b"\xff\xfe"), {"message_id": "\ufffd\ufffd"}),
    ],
)
def test_a_property_that_nobody_can_read_takes_nothing_with_it(
    properties: bytes, kept: dict[str, object]
) -> None:
    read = read_message(struct.pack(">HHQ", 60, 0, 1) + properties, b"x")

    assert read.body == b"x"
    assert {name: getattr(read, name) for name in kept} == kept


async def test_confirms_settle_publishes_one_by_one_and_all_before() -> None:
    intake = an_intake()
    inlet = intake.inlet(INLET)
    loop = asyncio.get_running_loop()
    for number in range(1, 6):
        inlet.unconfirmed[number] = loop.create_future()
    one, two, three, four, five = inlet.unconfirmed.values()

    intake.feed_data(method(commands.Basic.Ack(2, False)))
    assert [future.done() for future in (one, two, three, four, five)] == [
        *(False, True, False, False, False),
    ]
    intake.feed_data(method(commands.Basic.Ack(3, True)))
    intake.feed_data(method(commands.Basic.Nack(4, False)))

    assert one.done()
    assert three.done()
    with pytest.raises(OutcomeUnknown, match="some may have it"):  # the log, say, and not the queue
        four.result()
    assert not five.done()
    assert list(inlet.unconfirmed) == [5]


async def test_what_is_returned_is_refused_although_it_is_confirmed() -> None:
    intake = an_intake()
    inlet = intake.inlet(INLET)
    answered = asyncio.get_running_loop().create_future()
    inlet.unconfirmed[1] = inlet.mandatory["m"] = answered
    content = delivered(Message(body=b"x", message_id="m"))
    deliver_end = 8 + int.from_bytes(content[3:7], "big")
    returned = method(commands.Basic.Return(312, "NO_ROUTE", "ex", "key")) + content[deliver_end:]

    intake.feed_data(returned + method(commands.Basic.Ack(1, False)))

    with pytest.raises(PublishRefused, match="NO_ROUTE"):
        answered.result()


async def test_a_consumer_that_fails_takes_nothing_with_it() -> None:
    intake = an_intake()
    inlet = intake.inlet(INLET)
    arrived: list[bytes] = []

    def fails(*_: object) -> None:
        raise RuntimeError("a bug")

    inlet.consumers |= {"bad": fails, "good": lambda one: arrived.append(one.message.body)}

    intake.feed_data(
        delivered(Message(body=b"1"), tag="bad") + delivered(Message(body=b""), tag="good")
    )

    assert arrived == [b""]


async def test_the_driver_is_given_a_sign_of_life_while_only_inlets_are_fed() -> None:
    intake = an_intake()
    intake.inlet(INLET)

    for _ in range(3):
        intake.feed_data(method(commands.Basic.Ack(1, False)))

    assert await rest_of(intake) == method(Heartbeat(), 0)


async def test_a_server_that_speaks_another_protocol_is_the_drivers_to_tell() -> None:
    intake = an_intake()

    intake.feed_data(b"AMQP\x00\x01\x00\x00")
    intake.feed_data(b"more")

    assert await rest_of(intake) == b"AMQP\x00\x01\x00\x00more"


async def test_a_channel_that_left_takes_no_inlet_of_its_numbers_next_owner() -> None:
    intake = an_intake()
    old = intake.inlet(INLET)
    new = intake.inlet(INLET)
    intake.leave(INLET, old)
    arrived: list[bytes] = []
    new.consumers["t"] = lambda one: arrived.append(one.message.body)

    intake.feed_data(delivered(Message(body=b"x")))

    assert arrived == [b"x"]
