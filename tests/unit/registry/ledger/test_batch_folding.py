"""Batches of the log in the ledger: each event once, whatever comes how often in which batch."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.domain.transitions.effects import CancelOnAgent
from coordinator.protocol.lanes import lane_name
from coordinator.protocol.messages.events import (
    AgentRegistered,
    AgentRemoved,
    AgentStatusChanged,
    AttemptError,
    Event,
    SourceOpened,
)
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.ledger.ledger_rebuild import rebuild
from coordinator.registry.tables import schema
from coordinator.registry.tables.schema import micros
from tests.unit.domain.histories import (
    all_events,
    at,
    cancelled,
    completed,
    failed,
    started,
    submitted,
)
from tests.unit.registry.answers import answers, stored, totals_agree

NewLedger = Callable[[], AbstractAsyncContextManager[Ledger]]

SOME_SETTINGS = settings(max_examples=25, deadline=None)
TASKS = st.sampled_from(["t", "u", "v"])

agents_events = st.builds(
    lambda agent_id, what, seconds: Event(time=at(seconds), data=what(agent_id)),
    st.sampled_from(["ada", "bob"]),
    st.sampled_from(
        [
            lambda agent_id: AgentRegistered(agent_id=agent_id, agent_type="worker"),
            lambda agent_id: AgentStatusChanged(agent_id=agent_id, status="busy"),
            lambda agent_id: AgentRemoved(agent_id=agent_id),
        ]
    ),
    st.integers(0, 9),
)
histories = st.lists(all_events(TASKS) | agents_events, min_size=1, max_size=30)


def in_batches(events: list[Event], cuts: list[int]) -> list[list[Event]]:
    edges = sorted({0, len(events), *(cut % (len(events) + 1) for cut in cuts)})
    return [events[start:end] for start, end in itertools.pairwise(edges)]


async def ledger_after(new_ledger: NewLedger, *batches: list[Event]) -> dict[str, Any]:
    async with new_ledger() as ledger:
        for batch in batches:
            await stored(ledger, *batch)
        assert await totals_agree(ledger)
        return await answers(ledger)


@SOME_SETTINGS
@given(histories, st.lists(st.integers(0, 30), max_size=4))
def test_how_the_log_is_cut_into_batches_does_not_matter(
    new_ledger: NewLedger, events: list[Event], cuts: list[int]
) -> None:
    async def test() -> None:
        whole = await ledger_after(new_ledger, events)
        assert await ledger_after(new_ledger, *in_batches(events, cuts)) == whole

    asyncio.run(test())


@SOME_SETTINGS
@given(histories, st.lists(st.integers(0, 30), max_size=3), st.integers(0, 29))
def test_batches_that_are_delivered_again_change_nothing(
    new_ledger: NewLedger, events: list[Event], cuts: list[int], again: int
) -> None:
    """As after a projector that was killed between its commit and its acknowledgement."""

    async def test() -> None:
        batches = in_batches(events, cuts)
        once = await ledger_after(new_ledger, *batches)
        position = again % len(batches)
        twice = [*batches[: position + 1], *batches[position:]]
        assert await ledger_after(new_ledger, *twice) == once

    asyncio.run(test())


@SOME_SETTINGS
@given(histories)
def test_folding_all_events_again_gives_the_same_answers(
    new_ledger: NewLedger, events: list[Event]
) -> None:
    async def test() -> None:
        async with new_ledger() as ledger:
            for event in events:
                await stored(ledger, event)
            before = await answers(ledger)
            await ledger.write(rebuild)
            assert await answers(ledger) == before
            assert await totals_agree(ledger)

    asyncio.run(test())


async def test_an_event_that_comes_twice_in_one_batch_is_folded_once(ledger: Ledger) -> None:
    event = started()
    found = await stored(ledger, submitted(), event, event)
    assert [one.id for one in found.events] == ["t.1.1", event.id]


async def test_only_new_events_have_effects(ledger: Ledger) -> None:
    late = started("bob")
    await stored(ledger, submitted(), cancelled())
    first = await stored(ledger, late)
    assert first.effects == [
        CancelOnAgent(agent_id="bob", task_id="t", generation=1, reason="cancelled")
    ]
    assert (await stored(ledger, late)).effects == []


async def test_no_agent_can_take_the_id_of_anothers_event(ledger: Ledger) -> None:
    squatted = Event(id="t.1.1", time=at(0), data=started("bob").data)
    await stored(ledger, squatted)
    found = await stored(ledger, submitted())
    assert [event.type for event in found.events] == ["task.submitted"]


async def test_a_retry_is_in_the_outbox_once(ledger: Ledger) -> None:
    failure = failed()
    await stored(ledger, submitted(), started(), failure)
    await stored(ledger, failure)
    query = sa.select(schema.outbox.c.task_id, schema.outbox.c.attempt)
    rows = await ledger.read(lambda connection: connection.execute(query).all())
    assert [tuple(row) for row in rows] == [("t", 2)]


@pytest.mark.parametrize(
    "seen",
    [submitted(attempt=2), cancelled(), completed()],
    ids=["on its queue", "cancelled", "completed"],
)
@pytest.mark.parametrize("together", [True, False])
async def test_what_is_done_is_no_longer_in_the_outbox(
    ledger: Ledger, seen: Event, together: bool
) -> None:
    before = [submitted(), started(), failed()]
    for batch in [[*before, seen]] if together else [before, [seen]]:
        await stored(ledger, *batch)
    query = sa.select(sa.func.count()).select_from(schema.outbox)
    assert await ledger.read(lambda connection: connection.execute(query).scalar()) == 0


async def test_a_scheduled_task_is_in_the_outbox_until_it_is_on_its_queue(ledger: Ledger) -> None:
    query = sa.select(schema.outbox.c.due_at)
    for event, due in ((submitted(not_before=at(60)), [micros(at(60))]), (submitted(), [])):
        await stored(ledger, event)
        found = await ledger.read(lambda connection: connection.execute(query).scalars().all())
        assert found == due


async def test_opened_queues_are_remembered(ledger: Ledger) -> None:
    wanted = Requirements(capabilities=("gpu",))
    opened = SourceOpened(
        lane=lane_name(wanted), priority=Priority.HIGH, requirements=wanted.as_dict()
    )
    await stored(ledger, Event(data=opened), Event(data=opened))
    assert await ledger.task_queues() == [(TaskQueue(lane_name(wanted), Priority.HIGH), wanted)]


async def test_a_batch_of_thousands_is_folded_whole(ledger: Ledger) -> None:
    events = [
        event
        for number in range(700)
        for event in (
            submitted(f"task-{number}"),
            started(task_id=f"task-{number}"),
            completed(task_id=f"task-{number}"),
        )
    ]
    assert len((await stored(ledger, *events)).events) == 2100
    assert (await stored(ledger, *events)).events == []
    assert await totals_agree(ledger)


@pytest.mark.parametrize("text", ["", "\x00", "ü", "😀", "'; drop table tasks; --", "x" * 128])
async def test_any_text_comes_back_as_it_went(ledger: Ledger, text: str) -> None:
    event = completed("ada", result={"text": text})
    await stored(ledger, submitted(task_data={"text": text, "task_type": text}), event)
    query = sa.select(schema.events).order_by(schema.events.c.position)
    rows = await ledger.read(lambda connection: connection.execute(query).all())
    from coordinator.registry.tables.event_rows import event_of

    assert [event_of(row).data for row in rows] == [
        submitted(task_data={"text": text, "task_type": text}).data,
        event.data,
    ]


async def test_words_that_no_database_takes_are_stored_without_their_like(ledger: Ledger) -> None:
    error = AttemptError(type="\x00Error", message="\x00")
    await stored(
        ledger, submitted(task_data={"task_type": "a\x00b"}), started(), failed(error=error)
    )
    (row,) = (await answers(ledger))["tasks"]
    assert (row["task_type"], row["error_type"]) == ("a\ufffdb", "\ufffdError")
    assert await totals_agree(ledger)
