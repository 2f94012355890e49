"""Interceptors see each message that is published, and how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from aiormq.exceptions import DeliveryError
from pamqp.commands import Basic

from coordinator.broker.connection import Connection
from coordinator.broker.intercepted_publisher import (
    InterceptedPublisher,
    MessageStamp,
    PublishInterceptor,
    make_publisher,
)
from coordinator.broker.publisher import Outgoing, Publisher
from coordinator.errors import OutcomeUnknown, PublishRefused
from coordinator.protocol.message import Message
from tests.support.waiting import eventually
from tests.unit.broker.test_publisher import FrozenBroker


class AnsweringBroker(FrozenBroker):
    """Confirms every message, refuses those with the body `no`, and is silent about `hush`."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Message] = []

    def send(self, message: Message, **more: Any) -> asyncio.Future[Any]:
        sent = super().send(message, **more)
        self.messages.append(message)
        if message.body == b"no":
            sent.set_exception(DeliveryError(None, Basic.Nack()))
        elif message.body != b"hush":
            sent.set_result(Basic.Ack())
        return sent


class Seen:
    """Notes what it is told, with the identity of the message."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, bytes]] = []
        self.joined: dict[str, set[int]] = {}
        self.kept: list[Outgoing] = []
        self.errors: list[BaseException] = []

    def before(self, outgoing: Outgoing) -> None:
        self._note("before", outgoing)

    def confirmed(self, outgoing: Outgoing) -> None:
        self._note("confirmed", outgoing)

    def failed(self, outgoing: Outgoing, error: BaseException) -> None:
        self._note("failed", outgoing)
        self.errors.append(error)

    def _note(self, name: str, outgoing: Outgoing) -> None:
        self.kept.append(outgoing)
        self.calls.append((name, outgoing.message.body))
        self.joined.setdefault("before" if name == "before" else "after", set()).add(id(outgoing))


class Broken(Seen):
    def _note(self, name: str, outgoing: Outgoing) -> None:
        raise LookupError(name)


STAMPED = {"stamp": 1}


class Stamp:
    """Writes a header; cannot stamp the body `odd`."""

    def stamped(self, outgoing: Outgoing) -> Outgoing:
        if outgoing.message.body == b"odd":
            raise LookupError("odd")
        return outgoing._replace(message=replace(outgoing.message, headers=STAMPED))


@asynccontextmanager
async def publishing(
    interceptors: Sequence[PublishInterceptor],
    *,
    seconds: float = 3600,
    stamps: Sequence[MessageStamp] = (),
) -> AsyncIterator[tuple[Publisher, AnsweringBroker]]:
    broker = AnsweringBroker()
    made = make_publisher(
        cast("Connection", broker),
        timeout=timedelta(seconds=seconds),
        interceptors=interceptors,
        stamps=stamps,
    )
    async with made as publisher:
        await publisher.ready()
        yield publisher, broker


async def send(publisher: Publisher, body: bytes) -> None:
    await publisher.publish(Message(body=body), exchange="", key="somewhere")


async def test_a_message_is_seen_before_it_is_sent_and_when_it_is_confirmed() -> None:
    seen = Seen()
    async with publishing([seen]) as (publisher, _):
        await send(publisher, b"yes")
    assert seen.calls == [("before", b"yes"), ("confirmed", b"yes")]
    assert seen.joined["before"] == seen.joined["after"]
    assert seen.kept[0].key == "somewhere"


async def test_a_message_that_is_refused_or_has_no_answer_is_seen_with_what_its_caller_is_told() -> (
    None
):
    seen = Seen()
    async with publishing([seen], seconds=0.05) as (publisher, _):
        with pytest.raises(PublishRefused) as refused:
            await send(publisher, b"no")
        with pytest.raises(OutcomeUnknown) as unknown:
            await send(publisher, b"hush")
    assert [name for name, _ in seen.calls] == ["before", "failed", "before", "failed"]
    assert seen.errors == [refused.value, unknown.value]


async def test_a_publish_that_is_cancelled_is_seen_as_such() -> None:
    seen = Seen()
    async with publishing([seen]) as (publisher, broker):
        waiting = asyncio.create_task(send(publisher, b"hush"))
        await eventually(lambda: broker.sent)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert isinstance(seen.errors[0], asyncio.CancelledError)


async def test_many_messages_are_seen_each_with_its_own_end() -> None:
    seen = Seen()
    bodies = [b"yes", b"no", b"yes too"]
    messages = [Outgoing(Message(body=body), "", "somewhere") for body in bodies]
    async with publishing([seen]) as (publisher, _):
        ends = await publisher.publish_all(messages)
    assert seen.calls[:3] == [("before", body) for body in bodies]
    assert seen.calls[3:] == [
        ("confirmed", b"yes"),
        ("failed", b"no"),
        ("confirmed", b"yes too"),
    ]
    assert seen.errors == [ends[1]]
    assert seen.joined["before"] == seen.joined["after"] == {id(one) for one in messages}


async def test_an_interceptor_that_raises_spoils_no_publish_and_hides_none_from_the_next() -> None:
    seen = Seen()
    async with publishing([Broken(), seen]) as (publisher, _):
        await send(publisher, b"yes")
    assert seen.calls == [("before", b"yes"), ("confirmed", b"yes")]


async def test_where_nobody_intercepts_the_publisher_is_the_plain_one() -> None:
    async with publishing([]) as (publisher, _):
        assert type(publisher) is Publisher
    async with publishing([Seen()]) as (publisher, _):
        assert type(publisher) is InterceptedPublisher


async def test_a_stamp_is_on_the_message_that_is_sent_and_seen_by_interceptors() -> None:
    seen = Seen()
    messages = [Outgoing(Message(body=body), "", "somewhere") for body in (b"yes", b"odd")]
    async with publishing([seen], stamps=[Stamp()]) as (publisher, broker):
        await send(publisher, b"one")
        await publisher.publish_all(messages)
        await publisher.publish_each(messages, told=lambda *_: None, deadline=publisher.deadline())
    told = [one.message for one in seen.kept]
    assert {message.body for message in told if message.headers} == {b"one", b"yes"}
    assert {message.body for message in told if not message.headers} == {b"odd"}
    assert [message.headers for message in broker.messages] == [STAMPED, STAMPED, {}, STAMPED, {}]
    assert seen.joined["before"] == seen.joined["after"]
    assert not any(one.message.headers for one in messages)
