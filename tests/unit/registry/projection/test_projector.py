"""What the projector does with messages: read, check, store, and park what cannot be taken."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa

from coordinator.broker.channel import Channel, Delivery
from coordinator.protocol.json_values.array_splitting import items_of
from coordinator.protocol.message import Message
from coordinator.protocol.messages.event_codec.event_encoding import (
    encode,
    encode_batch,
    routing_key,
)
from coordinator.protocol.messages.events import AgentRegistered, Event
from coordinator.protocol.task_token import task_token
from coordinator.protocol.topology import EVENTS, TASKS
from coordinator.registry.ledger.batch_folding import store
from coordinator.registry.ledger.database_timeouts import DatabaseTimeouts
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.projection.command_sender import CommandSender
from coordinator.registry.projection.interceptors.parked_messages_log import ParkedMessagesLog
from coordinator.registry.projection.log_decoder import LogDecoder
from coordinator.registry.projection.projector import (
    BESIDE,
    FoldPace,
    ProjectionListeners,
    Projector,
)
from coordinator.registry.projection.projector_fence import ProjectorFence
from coordinator.registry.tables import schema
from coordinator.registry.tables.schema import micros
from tests.support.waiting import eventually
from tests.unit.domain.histories import at, completed, expired, message, started
from tests.unit.registry.answers import answers
from tests.unit.registry.fleet import Published

SECRET = b"s" * 32
SKEWS = {"fast": 20, "slow": -20, "near": 1.5}


def delivered(message: Message, key: str, exchange: str = EVENTS) -> Delivery:
    return Delivery(
        message=message,
        exchange=exchange,
        routing_key=key,
        redelivered=False,
        tag=1,
        channel=cast("Channel", None),
    )


def said(event: Event) -> Delivery:
    return delivered(encode(event), routing_key(event.data))


def task(task_id: str = "t") -> Delivery:
    one = message(task_id, task_token=task_token(SECRET, task_id, 1, 1))
    return delivered(one.to_message(), one.source.key, TASKS)


def done(task_id: str = "t", **more: Any) -> Event:
    return completed(task_id=task_id, task_token=task_token(SECRET, task_id, 1, 1), **more)


class Projected:
    def __init__(self, ledger: Ledger, *, pace: FoldPace = BESIDE) -> None:
        self.ledger = ledger
        self.folded: list[Event] = []
        self.published = Published()
        self.commands = CommandSender(self.published)
        self.fence = ProjectorFence(ledger)
        self.reader = LogDecoder(
            secret=SECRET,
            skew_of=lambda agent_id: timedelta(seconds=SKEWS.get(agent_id, 0)),
            now=lambda: at(60),
        )
        self.parked_log = ParkedMessagesLog()
        self.projector = Projector(
            fence=self.fence,
            reader=self.reader,
            commands=self.commands,
            told=ProjectionListeners(folded=self.folded.extend),
            now=lambda: at(60),
            pace=pace,
            interceptors=[self.parked_log],
        )

    async def project(self, *deliveries: Delivery) -> None:
        if not self.fence.held:
            await self.projector._patiently(self.fence.begin_epoch)
        await self.projector._store(self.reader.read(deliveries))
        await self.commands.told()

    async def states(self) -> dict[str, str]:
        return {row["task_id"]: row["state"] for row in (await answers(self.ledger))["tasks"]}

    async def parked(self) -> list[Any]:
        query = sa.select(schema.parked).order_by(schema.parked.c.position)
        return list(await self.ledger.read(lambda connection: connection.execute(query).all()))


@pytest.fixture
def projected(ledger: Ledger) -> Projected:
    return Projected(ledger)


async def test_garbage_is_parked_with_its_reason_and_the_rest_is_folded(
    projected: Projected,
) -> None:
    garbage = delivered(Message(body=b"\xff\x00", headers={"n": b"\xff"}), "task.ada.started")
    await projected.project(task(), garbage, said(started()))
    assert await projected.states() == {"t": "running"}
    (row,) = await projected.parked()
    assert row.reason.startswith("MalformedMessage: an event without a type")
    assert (row.exchange, row.routing_key, row.body) == (
        "coordinator.events",
        "task.ada.started",
        b"\xff\x00",
    )
    assert projected.parked_log.count == 1


async def test_an_agent_that_speaks_for_another_is_parked(projected: Projected) -> None:
    event = started("ada")
    await projected.project(task(), delivered(encode(event), "task.bob.started"))
    assert await projected.states() == {"t": "queued"}
    (row,) = await projected.parked()
    assert row.reason.startswith("ForgedIdentity: ")


async def test_an_id_that_an_agent_uses_for_two_events_parks_the_second_and_a_copy_is_no_news(
    projected: Projected,
) -> None:
    """In one batch, in another, and where the second is the same in another attempt."""
    begun, ended = replace(started(), id="t"), replace(done(), id="t")
    await projected.project(task(), said(begun), said(begun), said(ended))
    again = replace(started(attempt=2), id="t")
    await projected.project(said(ended), said(again), said(begun))
    assert await projected.states() == {"t": "running"}
    first, second = await projected.parked()
    assert "task.completed: its author has sent another event with the id 't'" in first.reason
    assert "task.started: its author" in second.reason
    assert b'"task_token"' in first.body
    assert first.routing_key == "task.ada.completed"
    await projected.project(
        said(replace(started("bob"), id="t"))
    )  # another author's ids are its own
    assert len(await projected.parked()) == 2


async def test_an_outcome_counts_without_what_is_only_shown_and_the_log_tells_of_it_once(
    projected: Projected, caplog: pytest.LogCaptureFixture
) -> None:
    event = done(result=1)
    body = encode(event).body[:-1] + b',"duration_seconds":-0.5}'
    headers = {**encode(event).headers, "cloudEvents_time": "noon"}
    message = replace(encode(event), body=body, headers=headers)
    await projected.project(task(), *[delivered(message, routing_key(event.data))] * 2)
    assert await projected.states() == {"t": "completed"}
    assert await projected.parked() == []
    told = [record for record in caplog.records if "left out" in record.getMessage()]
    assert [record.__dict__["field"] for record in told] == ["duration_seconds", "time"]
    assert {record.__dict__["agent_id"] for record in told} == {"ada"}


async def test_a_wrong_token_parks_one_event_and_not_the_others_of_its_message(
    projected: Projected,
) -> None:
    key, batch = encode_batch([done("t"), completed(task_id="u"), done("v")])
    await projected.project(task("t"), task("u"), task("v"), delivered(batch, key))
    assert await projected.states() == {"t": "completed", "u": "queued", "v": "completed"}
    (row,) = await projected.parked()
    assert row.reason.startswith("WrongToken: ")
    assert b'"task_id":"u"' in row.body


def spoiled(*events: Event, at: int, by: tuple[bytes, bytes]) -> Delivery:
    """A batch in which one event has other bytes than its agent could have meant."""
    key, batch = encode_batch(events)
    items = items_of(batch.body)
    assert items is not None
    assert by[0] in items[at]
    items[at] = items[at].replace(*by)
    return delivered(replace(batch, body=b"[" + b",".join(items) + b"]"), key)


@pytest.mark.parametrize(
    ("by", "why"),
    [
        (b'{"a":' * 99 + b"[[]]" + b"}" * 99, "the result is nested deeper than 100 levels"),
        (b"[" * 197 + b"]" * 197, "the result is nested deeper than 100 levels"),
        (b"[" * 199 + b"]" * 199, "nested deeper than 100 levels"),
        (b"[" * 9000 + b"]" * 9000, "recursion limit"),
        (b"[NaN]", "the result holds a number that is out of range"),
        (b"-1e400", "the result holds a number that is out of range"),
        (b"9" * 400, "the result holds a number that is out of range"),
        (b"9" * 5000, "number out of range"),
        (b'"\\ud800"', "an event that is not JSON"),
        (b'"\xff"', "an event that is not JSON"),
        (b"None", "an event that is not JSON"),
        (b'1,"generation":0', "task.completed: generation"),
        (b'1,"agent_id":"bob"', "ForgedIdentity: "),
        (b'1,"task_id":"\\u0000"', "an id with a character that no database takes"),
        (b'1,"attempt":Infinity', "task.completed: attempt"),
    ],
    ids=lambda value: repr(value[:30]),
)
async def test_one_bad_event_of_a_batch_is_parked_alone(
    projected: Projected, by: bytes, why: str
) -> None:
    events = [done(task_id, result="MARK") for task_id in "tuv"]
    batch = spoiled(*events, at=1, by=(b'"MARK"', by))
    await projected.project(*map(task, "tuv"), batch)
    await projected.project(batch)
    assert await projected.states() == {"t": "completed", "u": "queued", "v": "completed"}
    (row,) = await projected.parked()
    assert why in row.reason
    tokens = [task_token(SECRET, task_id, 1, 1).encode() in row.body for task_id in "tuv"]
    assert tokens == [False, True, False]
    assert row.routing_key.startswith("task.ada.")


async def test_a_batch_of_which_nothing_can_be_read_is_parked_as_a_whole(
    projected: Projected,
) -> None:
    key, batch = encode_batch([done("t"), done("u")])
    cut = replace(batch, body=batch.body[:-5])
    await projected.project(task("t"), task("u"), delivered(cut, key))
    (row,) = await projected.parked()
    assert row.reason.startswith("MalformedMessage: a batch that is not JSON")
    assert row.body == cut.body


async def test_what_the_ledger_chokes_on_in_a_batch_is_parked_alone(
    projected: Projected, monkeypatch: pytest.MonkeyPatch
) -> None:
    def chokes(connection: Any, events: Any, *more: Any) -> Any:
        if any(event.data.subject == "u" and event.type == "task.completed" for event in events):
            raise OverflowError("too large for a column")
        return store(connection, events, *more)

    monkeypatch.setattr("coordinator.registry.projection.projector.store", chokes)
    key, batch = encode_batch([done("t"), done("u"), completed(task_id="x"), done("v")])
    await projected.project(*map(task, "tuv"), delivered(batch, key))
    assert await projected.states() == {"t": "completed", "u": "queued", "v": "completed"}
    wrong, choked = await projected.parked()
    if wrong.reason.startswith("Overflow"):
        wrong, choked = choked, wrong
    assert wrong.reason.startswith("WrongToken: ")
    assert choked.reason == "OverflowError: too large for a column"
    assert b'"task_id":"u"' in choked.body
    assert b'"task_id":"v"' not in choked.body


async def test_metadata_that_the_ledger_would_keep_as_something_else_is_parked(
    projected: Projected,
) -> None:
    body = b'{"agent_id":"ada","agent_type":"worker","metadata":{"weight":NaN}}'
    event = Message(body=body, message_id="1", type="agent.registered")
    await projected.project(delivered(event, "agent.ada.registered"))
    (row,) = await projected.parked()
    assert "the metadata holds a number that is out of range" in row.reason


async def test_more_metadata_than_a_coordinator_would_take_is_parked(projected: Projected) -> None:
    """Where identity is not required, an agent may say by itself that it is registered."""
    for size in (16_000, 17_000):
        about: dict[str, Any] = {"agent_type": "worker", "metadata": {"notes": "x" * size}}
        await projected.project(said(Event(data=AgentRegistered(agent_id=f"of-{size}", **about))))
    (row,) = await projected.parked()
    assert "17012 bytes of metadata; at most 16384" in row.reason
    assert b"of-17000" in row.body


@pytest.mark.parametrize(
    ("agent_id", "told", "kept"),
    [
        ("fast", 50, 30),
        ("slow", 10, 30),
        ("near", 30, 30),
        ("unknown", 30, 30),
        ("unknown", 3600, 60),  # nothing is told before it has happened
    ],
)
async def test_what_agents_say_is_kept_by_the_coordinators_clock(
    projected: Projected, agent_id: str, told: float, kept: float
) -> None:
    await projected.project(task(), said(started(agent_id, seconds=told)))
    event = projected.folded[-1]
    assert (event.data.author, event.time) == (agent_id, at(kept))
    (row,) = (await answers(projected.ledger))["tasks"]
    assert row["started_at"] == micros(at(kept))


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00"])
async def test_a_time_at_the_end_of_the_calendar_costs_no_outcome_and_no_task(
    projected: Projected, time: str
) -> None:
    """As Go writes it who knows none."""
    begun, ended = started(), done(duration_seconds=2.0)
    await projected.project(task())
    for event in (begun, ended):
        letter = encode(event)
        headers = {**letter.headers, "cloudEvents_time": time}
        letter = replace(letter, headers=headers)
        await projected.project(delivered(letter, routing_key(event.data)))
    assert await projected.parked() == []
    assert await projected.states() == {"t": "completed"}


async def test_what_coordinators_say_is_kept_as_they_say_it(projected: Projected) -> None:
    await projected.project(task(), said(expired(seconds=90)))
    assert projected.folded[-1].time == at(90)


async def test_what_is_delivered_again_is_parked_once(projected: Projected) -> None:
    garbage = delivered(Message(body=b"?"), "task.ada.started")
    await projected.project(garbage)
    await projected.project(garbage, garbage)
    assert len(await projected.parked()) == 1


async def test_what_the_ledger_chokes_on_is_found_and_parked(
    projected: Projected, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing holds up the log, not even a bug."""

    def chokes(connection: Any, events: Any, *more: Any) -> Any:
        if any(event.data.subject == "u" for event in events):
            raise OverflowError("too large for a column")
        return store(connection, events, *more)

    monkeypatch.setattr("coordinator.registry.projection.projector.store", chokes)
    await projected.project(*(task(task_id) for task_id in "rstuvw"), said(done("w")))
    (record,) = [one for one in caplog.records if one.message == "an event cannot be folded"]
    assert (vars(record)["task_id"], vars(record)["attempt"]) == ("u", 1)
    assert await projected.states() == {
        "r": "queued", "s": "queued", "t": "queued", "v": "queued", "w": "completed",
    }  # fmt: skip
    assert [event.data.subject for event in projected.folded] == [*"rstvw", "w"]
    (row,) = await projected.parked()
    assert row.reason == "OverflowError: too large for a column"


async def test_agents_are_commanded_after_the_commit(projected: Projected) -> None:
    await projected.project(task(), said(done()), said(started("bob")))
    ((exchange, key, command),) = projected.published.messages
    assert (exchange, key, command.type) == ("coordinator.control", "agent.bob", "cancel")


async def test_a_locked_ledger_is_waited_for_and_nothing_is_lost(sqlite_url: str) -> None:
    async with Ledger(sqlite_url, timeouts=DatabaseTimeouts(lock=0.02)) as ledger:
        projected = Projected(ledger, pace=FoldPace(first_pause=0.01))
        other = sqlite3.connect(Path(sqlite_url.removeprefix("sqlite:///")), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        projecting = asyncio.create_task(projected.project(task(), said(done())))
        await eventually(lambda: projected.projector.problem)
        assert "locked" in str(projected.projector.problem)
        assert await projected.states() == {}
        other.rollback()
        other.close()
        await projecting
        assert projected.projector.problem is None
        assert await projected.states() == {"t": "completed"}


async def test_a_full_disk_is_waited_for_and_nothing_is_lost(sqlite_url: str) -> None:
    def pages(most: str) -> Any:
        return lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count={most}")

    async with Ledger(sqlite_url) as ledger:
        projected = Projected(ledger, pace=FoldPace(first_pause=0.01))
        await projected.project(task())
        await ledger.write(pages("1"))  # no page more than there are
        tasks = [task(f"{number}" * 100) for number in range(9)]
        projecting = asyncio.create_task(projected.project(*tasks, said(done())))
        await eventually(lambda: projected.projector.problem)
        assert "full" in str(projected.projector.problem)
        assert projected.projector.problem == ledger.problem
        assert await projected.states() == {"t": "queued"}
        await ledger.write(pages("1000000"))
        await projecting
        assert (projected.projector.problem, ledger.problem) == (None, None)
        assert len(await projected.states()) == 10


async def test_a_projector_that_is_stopped_while_it_writes_tells_what_it_stored(
    projected: Projected, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing, go_on = threading.Event(), threading.Event()

    def slowly(*given: Any) -> Any:
        writing.set()
        go_on.wait(5)
        return store(*given)

    monkeypatch.setattr("coordinator.registry.projection.projector.store", slowly)
    projecting = asyncio.create_task(projected.project(task()))
    await eventually(writing.is_set)
    projecting.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await projecting
    assert [event.type for event in projected.folded] == ["task.submitted"]
    assert await projected.states() == {"t": "queued"}
