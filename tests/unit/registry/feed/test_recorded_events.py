"""The positions of events, and what is read after one, in each database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import pytest
import sqlalchemy as sa
from pydantic_core import from_json

from coordinator.domain.transitions.effects import Rules
from coordinator.errors import Superseded
from coordinator.protocol.messages.events import (
    AgentRegistered,
    AgentStatusChanged,
    Event,
    SourceOpened,
    TaskEvent,
)
from coordinator.protocol.priority import Priority
from coordinator.registry.feed.event_details import public_details
from coordinator.registry.feed.recorded_events import RecordedEvents, RecordedPage
from coordinator.registry.ledger.batch_folding import store
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.ledger.ledger_rebuild import rebuild
from coordinator.registry.projection.projector_fence import ProjectorFence
from coordinator.registry.queries.task_timeline import timeline_of
from coordinator.registry.tables import schema
from coordinator.registry.upkeep.task_removal import forget
from tests.unit.domain.histories import (
    at,
    cancelled,
    completed,
    dead_lettered,
    declined,
    expired,
    failed,
    lost,
    progressed,
    started,
    submitted,
    too_large,
)
from tests.unit.registry.answers import stored

RULES = Rules(now=at(0))


async def page(ledger: Ledger, after: int = 0, limit: int = 1000) -> RecordedPage:
    return await RecordedEvents(ledger).after(after, limit=limit)


async def told(ledger: Ledger, after: int = 0) -> list[tuple[str, str]]:
    return [(one.type, one.subject) for one in (await page(ledger, after)).events]


async def test_events_are_read_after_a_position_with_what_their_task_is_like(
    ledger: Ledger,
) -> None:
    ada = Event(data=AgentRegistered(agent_id="ada", agent_type="worker"))
    lane = Event(data=SourceOpened(lane="any", priority=Priority.LOW))
    task = submitted(priority=Priority.HIGH, submitted_by="key:shop", max_attempts=3)
    await stored(ledger, ada, lane, task, started(), failed(), started(task_id="unknown"))
    found = await page(ledger)
    assert [(one.type, one.state, one.priority, one.submitted_by) for one in found.events] == [
        ("agent.registered", None, None, None),
        ("task.submitted", "queued", "high", "key:shop"),
        ("task.started", "running", "high", "key:shop"),
        ("task.failed", "waiting", "high", "key:shop"),
        ("task.started", "running", None, None),
    ]
    assert [one.agent_id for one in found.events] == ["ada", None, "ada", "ada", "ada"]
    assert (found.reached, found.forgotten_to) == (found.end, 0)
    first, *_ = found.events
    assert [one.position for one in (await page(ledger, first.position)).events] == [
        one.position for one in found.events[1:]
    ]
    two = await page(ledger, limit=2)
    assert (len(two.events), two.reached) == (2, two.events[-1].position)
    nothing = await page(ledger, found.end)
    assert (list(nothing.events), nothing.reached) == ([], found.end)


async def test_some_tasks_or_types_are_read_alone_and_nothing_between_is_passed_over(
    ledger: Ledger,
) -> None:
    for name in "abc":
        await stored(ledger, submitted(name), started(task_id=name), completed(task_id=name))
    events = RecordedEvents(ledger)
    of_b = await events.after(0, limit=10, task_ids=["b"])
    assert [one.subject for one in of_b.events] == ["b", "b", "b"]
    assert of_b.reached == of_b.end
    # However many positions there are, a page goes over so many, and says how far it came.
    events = RecordedEvents(ledger, looked_at=4)
    found, position = [], 0
    while True:
        some = await events.after(position, limit=10, types=["task.completed"])
        found += [one.subject for one in some.events]
        assert some.reached <= position + 4
        if some.reached == position:
            break
        position = some.reached
    assert found == ["a", "b", "c"]


async def test_no_position_is_given_twice_even_where_the_last_events_were_deleted(
    ledger: Ledger,
) -> None:
    await stored(ledger, submitted("kept"), submitted("gone"), cancelled(task_id="gone"))
    before = await page(ledger)
    await ledger.write(lambda connection: forget(connection, ["gone"]))
    after = await page(ledger)
    assert [one.subject for one in after.events] == ["kept"]
    assert (after.end, after.forgotten_to) == (before.end, before.end)
    await stored(ledger, submitted("new"))
    [new] = (await page(ledger, before.end)).events
    assert (new.subject, new.position > before.end) == ("new", True)
    # What is deleted later at a smaller position does not hide that.
    await ledger.write(lambda connection: forget(connection, ["kept"]))
    assert (await page(ledger)).forgotten_to == before.end


async def test_a_rebuild_leaves_every_event_at_its_position_with_its_state(ledger: Ledger) -> None:
    await stored(ledger, submitted("a"), started(task_id="a"), submitted("b"))
    await stored(ledger, completed(task_id="a"))
    before = await page(ledger)
    await ledger.write(rebuild)
    assert await page(ledger) == before


async def test_positions_follow_the_order_of_commits_and_a_reader_never_sees_a_later_one_first(
    ledger: Ledger,
) -> None:
    """Two coordinators supersede each other all the time, while a third reads."""
    fences = [ProjectorFence(ledger), ProjectorFence(ledger)]
    written: list[str] = []
    rounds = 40

    async def write(fence: ProjectorFence, name: str) -> None:
        for number in range(rounds):
            events = [submitted(f"{name}-{number}-{part}") for part in range(3)]
            while True:
                try:
                    if not fence.held:
                        await fence.begin_epoch()
                    await fence.write(partial(store, events=events, rules=RULES))
                except Superseded:
                    continue
                written.extend(event.data.subject for event in events)
                break

    async def read() -> list[str]:
        seen: list[str] = []
        position = 0
        while len(seen) < 2 * rounds * 3:
            found = await page(ledger, position)
            seen += [one.subject for one in found.events]
            position = found.reached
        return seen

    reading = asyncio.create_task(read())
    await asyncio.gather(*(write(fence, name) for fence, name in zip(fences, "ab", strict=True)))
    seen = await reading
    assert seen == await subjects(ledger)
    assert sorted(seen) == sorted(written)


async def subjects(ledger: Ledger) -> list[str]:
    query = sa.select(schema.events.c.subject).order_by(schema.events.c.position)
    return await ledger.read(lambda connection: list(connection.execute(query).scalars()))


EVERY_KIND: Sequence[Event] = [
    submitted(submitted_by="key:shop", timeout_seconds=3.5, expires_at=at(60)),
    started(instance="a1"),
    declined(),
    progressed(0.5, message="half"),
    failed(),
    lost(),
    dead_lettered("expired"),
    cancelled(),
    expired(),
    too_large(),
    completed(result={"a": [1, "ü"]}),
]


@pytest.mark.parametrize("event", EVERY_KIND, ids=lambda event: event.type)
async def test_the_details_of_an_event_are_those_of_its_tasks_timeline(
    ledger: Ledger, event: Event
) -> None:
    await stored(ledger, event)
    assert isinstance(event.data, TaskEvent)
    timeline = await ledger.read(
        lambda connection: timeline_of(connection, event.data.subject, after=None, limit=9)
    )
    [one] = (await page(ledger)).events
    assert public_details(from_json(one.data)) == timeline.events[0].details
    said = one.told()
    assert said is not None
    assert "task_token" not in said
    assert "token" not in one.data or "token" not in str(said)


@pytest.mark.parametrize("kind", ["result", "content"])
async def test_of_a_large_event_the_details_alone_are_read(ledger: Ledger, kind: str) -> None:
    large = "x" * 100_000
    event = completed(result=large) if kind == "result" else submitted(task_data={"text": large})
    await stored(ledger, event)
    [one] = (await page(ledger)).events
    assert len(one.data) < 1000
    said = one.told()
    assert said is not None
    assert said["task_id"] == "t"
    assert said.get("result_bytes", 100_002) == 100_002


async def test_an_event_that_cannot_be_read_is_left_out_and_hides_no_other(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    changed = Event(data=AgentStatusChanged(agent_id="ada", status="maintenance"))
    await stored(ledger, submitted("a"), changed, submitted("b"))

    def spoil(connection: sa.Connection) -> None:
        of_a = schema.events.c.subject == "a"
        connection.execute(schema.events.update().where(of_a).values(data="{no json"))

    await ledger.write(spoil)
    said = [one.told() for one in (await page(ledger)).events]
    assert said[0] is None
    assert [
        one["agent_id"] if "agent_id" in one else one["task_id"] for one in said[1:] if one
    ] == [
        "ada",
        "b",
    ]
    assert "a row of the ledger cannot be read" in caplog.text
