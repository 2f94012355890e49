"""What a batch has appended is, without a query, what reading the ledger would give."""

from __future__ import annotations

import pytest

from coordinator.protocol.messages.events import (
    AgentRegistered,
    AgentStatusChanged,
    Event,
    SourceOpened,
)
from coordinator.protocol.priority import Priority
from coordinator.registry.feed.folded_page import FoldedPage, FoldedPageOffer, folded_page
from coordinator.registry.feed.recorded_events import RecordedEvents
from coordinator.registry.ledger.batch_folding import FoldedBatch
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.upkeep.task_removal import forget
from tests.unit.domain.histories import (
    cancelled,
    completed,
    failed,
    progressed,
    started,
    submitted,
)
from tests.unit.registry.answers import stored

BATCHES = (
    [
        Event(data=AgentRegistered(agent_id="ada", agent_type="worker")),
        Event(data=SourceOpened(lane="any", priority=Priority.LOW)),
        submitted(priority=Priority.HIGH, submitted_by="key:shop", group="g", tags=("a", "ü")),
        started(),
        submitted("t2", metadata={"tenant": "x"}, max_attempts=3),
    ],
    [failed(), failed(), started(task_id="unknown"), started(task_id="t2"), failed(task_id="t2")],
    [Event(data=SourceOpened(lane="any", priority=Priority.HIGH))],
    [
        progressed(0.5, message="half"),
        completed(result={"a": [1, "ü"]}, task_id="t2", attempt=2),
        Event(data=AgentStatusChanged(agent_id="ada", status="maintenance")),
        cancelled(task_id="unknown"),
    ],
)


@pytest.fixture
def knows_positions(ledger_url: str) -> bool:
    """PostgreSQL gives them, and does not tell."""
    return not ledger_url.startswith("postgresql")


async def test_a_page_of_a_batch_is_the_page_that_is_read_from_the_ledger(
    ledger: Ledger, knows_positions: bool
) -> None:
    events = RecordedEvents(ledger)
    for batch in BATCHES:
        before = (await events.end()).end
        folded = folded_page(await stored(ledger, *batch))
        if not knows_positions:
            assert folded is None
            continue
        read = await events.after(before, limit=100)
        assert folded == FoldedPage(after=before, events=read.events, reached=read.reached)


async def test_a_page_begins_where_the_ledger_ended_even_if_the_last_events_were_deleted(
    ledger: Ledger, knows_positions: bool
) -> None:
    await stored(ledger, submitted("gone"), cancelled(task_id="gone"))
    end = (await RecordedEvents(ledger).end()).end
    await ledger.write(lambda connection: forget(connection, ["gone"]))
    folded = folded_page(await stored(ledger, submitted("new")))
    if knows_positions:
        assert folded is not None
        assert (folded.after, folded.reached) == (end, end + 1)


@pytest.mark.parametrize(
    "batch",
    [[], [submitted(task_data={"text": "x" * 20_000})], [completed(result="x" * 20_000)]],
    ids=["nothing", "a large task", "a large result"],
)
async def test_what_would_have_to_be_looked_into_is_left_to_be_read(
    ledger: Ledger, batch: list[Event]
) -> None:
    assert folded_page(await stored(ledger, *batch)) is None


async def test_a_batch_without_a_new_event_is_not_told_of(ledger: Ledger) -> None:
    told: list[FoldedPage | None] = []
    offer = FoldedPageOffer(lambda page: told.append(page()))
    batch = await stored(ledger, submitted())
    offer.folded([], batch)
    offer.folded([submitted()], await stored(ledger, submitted()))
    offer.folded([], FoldedBatch())
    assert told == [folded_page(batch)]
