"""What is parked is bounded by count, bytes and age, and the oldest make room for others."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from functools import partial

import pytest

from coordinator.protocol.message import Message
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.ledger.parked_bounds import ParkedBounds, drop_aged, drop_surplus
from coordinator.registry.ledger.parked_messages import MessageToPark, park
from coordinator.registry.queries.parked_pages import ParkedPage, parked_page, parked_whole
from tests.unit.domain.histories import at

MANY = ParkedBounds(messages=10**6, size=10**12, age=None)


def one(
    body: bytes, *, key: str = "task.ada.started", seconds: int = 0, **more: str
) -> MessageToPark:
    return MessageToPark(
        message=Message(body=body, user_id=more.get("user_id")),
        exchange=more.get("exchange", "coordinator.events"),
        routing_key=key,
        reason="MalformedMessage: not a task",
        received_at=at(seconds),
    )


async def parked(ledger: Ledger, *messages: MessageToPark, bounds: ParkedBounds) -> ParkedPage:
    """What there is after these were parked one after the other."""
    for message in messages:
        await ledger.write(partial(park, messages=[message]))
        await ledger.write(partial(drop_surplus, bounds=bounds))
    return await ledger.read(partial(parked_page, after=None, limit=200))


async def test_of_a_body_the_beginning_is_kept_with_the_size_and_the_digest_of_all_of_it(
    ledger: Ledger,
) -> None:
    body = b"\xff" + b"x" * 1_000_000
    (found,) = (await parked(ledger, one(body), bounds=MANY)).messages
    assert (found.size, found.sha256) == (1_000_001, hashlib.sha256(body).hexdigest())
    kept = await ledger.read(partial(parked_whole, position=found.position))
    assert kept.body == body[:65_536]


async def test_two_messages_that_differ_behind_what_is_kept_are_two(ledger: Ledger) -> None:
    bodies = [b"x" * 70_000 + end for end in (b"1", b"2", b"1")]
    assert (await parked(ledger, *map(one, bodies), bounds=MANY)).total == 2


async def test_headers_that_are_larger_than_a_message_should_be_are_left_out(
    ledger: Ledger,
) -> None:
    huge = MessageToPark(
        message=Message(body=b"x", message_id="one", headers={"h": "x" * 100_000}),
        exchange="",
        routing_key="k",
        reason="why",
        received_at=at(0),
    )
    (listed,) = (await parked(ledger, huge, bounds=MANY)).messages
    found = await ledger.read(partial(parked_whole, position=listed.position))
    assert found.properties["message_id"] == "one"
    assert found.properties["headers"]["left-out"].startswith("headers of 100")


async def test_beyond_the_count_the_oldest_are_dropped_and_counted(ledger: Ledger) -> None:
    bounds = ParkedBounds(messages=3, size=10**9)
    page = await parked(ledger, *(one(b"%d" % n) for n in range(5)), bounds=bounds)
    assert [message.body for message in page.messages] == [b"4", b"3", b"2"]
    assert (page.total, page.dropped) == (3, 2)
    page = await parked(ledger, one(b"5"), bounds=bounds)
    assert (page.total, page.dropped) == (3, 3)


async def test_beyond_the_bytes_the_oldest_are_dropped_and_the_newest_stays_in_any_case(
    ledger: Ledger,
) -> None:
    bounds = ParkedBounds(messages=100, size=100_000)
    page = await parked(ledger, *(one(b"%d" % n * 40_000) for n in range(5)), bounds=bounds)
    assert [message.body[:1] for message in page.messages] == [b"4", b"3"]
    page = await parked(ledger, one(b"y"), bounds=ParkedBounds(messages=100, size=10))
    assert [message.body for message in page.messages] == [b"y"]
    assert page.dropped == 5


@pytest.mark.parametrize(
    ("age", "left"),
    [
        (timedelta(seconds=30), [b"40", b"31"]),
        (timedelta(seconds=1), []),
        (None, [b"40", b"31", b"9"]),
    ],
)
async def test_what_is_too_old_is_dropped_and_counted(
    ledger: Ledger, age: timedelta | None, left: list[bytes]
) -> None:
    await parked(ledger, *(one(b"%d" % n, seconds=n) for n in (9, 31, 40)), bounds=MANY)
    bounds = ParkedBounds(age=age)
    count = await ledger.write(partial(drop_aged, bounds=bounds, now=at(60)))
    page = await ledger.read(partial(parked_page, after=None, limit=9))
    assert [message.body for message in page.messages] == left
    assert count == page.dropped == 3 - len(left)


async def test_the_author_is_whose_word_the_key_has_and_the_users_where_it_is_another(
    ledger: Ledger,
) -> None:
    messages = [
        one(b"1"),
        one(b"2", user_id="ada"),
        one(b"3", user_id="shared"),
        one(b"4", key="coordinator.log", exchange=""),
        one(b"5", key="coordinator.log", exchange="", user_id="bob"),
        one(b"6", key="any.normal", exchange="coordinator.tasks"),
        one(b"7", key="source.cap:gpu.opened"),
    ]
    page = await parked(ledger, *messages, bounds=MANY)
    assert [message.author for message in reversed(page.messages)] == [
        *("ada", "ada", "ada (user shared)"),
        *("", "user bob", "", ""),
    ]
