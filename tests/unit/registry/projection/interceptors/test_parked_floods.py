"""Floods of messages that cannot be folded: who is named, and for how long."""

from __future__ import annotations

from coordinator.protocol.message import Message
from coordinator.registry.ledger.batch_folding import FoldedBatch
from coordinator.registry.ledger.parked_messages import MessageToPark
from coordinator.registry.projection.interceptors.parked_floods import ParkedFloods
from tests.unit.domain.histories import at


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def batch(author: str, count: int, *, size: int = 10) -> FoldedBatch:
    one = MessageToPark(
        message=Message(body=bytes(size)),
        exchange="coordinator.events",
        routing_key=f"task.{author}.started" if author else "coordinator.log",
        reason="why",
        received_at=at(0),
    )
    return FoldedBatch(parked=[one] * count)


def test_the_author_of_a_flood_is_named_until_a_minute_has_passed() -> None:
    clock = Clock()
    floods = ParkedFloods(monotonic=clock)
    floods.folded([], batch("bob", 299))
    assert floods.problems() == []
    floods.folded([], batch("ada", 400))
    (told,) = floods.problems()
    assert told.startswith("'ada' floods the log: 400 messages of 4000 bytes within a minute")
    clock.seconds = 61
    assert floods.problems() == []


def test_few_messages_that_are_large_are_a_flood_too() -> None:
    floods = ParkedFloods(monotonic=Clock())
    floods.folded([], batch("ada", 20, size=1024 * 1024))
    (told,) = floods.problems()
    assert told.startswith("'ada' floods the log: 20 messages")


def test_a_handful_now_and_then_is_no_flood() -> None:
    clock = Clock()
    floods = ParkedFloods(monotonic=clock)
    for minute in range(100):
        clock.seconds = 60.0 * minute
        floods.folded([], batch("ada", 200))
        assert floods.problems() == []


def test_who_does_not_tell_its_name_is_told_of_as_well() -> None:
    floods = ParkedFloods(monotonic=Clock())
    floods.folded([], batch("", 1000))
    (told,) = floods.problems()
    assert told.startswith("Somebody who does not tell who it is floods")


def test_many_authors_take_bounded_memory_and_three_are_named() -> None:
    floods = ParkedFloods(monotonic=Clock())
    for number in range(3000):
        floods.folded([], batch(f"a{number}", 1))
    (told,) = floods.problems()
    assert told.startswith("'many different authors' floods the log: 2000 messages")
    for number in range(5):
        floods.folded([], batch(f"a{number}", 500 + number))
    assert len(floods.problems()) == 3
