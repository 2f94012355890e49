"""What a coordinator cannot read is noted in the ledger, until one can."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

from coordinator.registry.ledger.inspection_results import UndeliverableQueue
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.ledger.ledger_inspection import examine
from coordinator.registry.ledger.undeliverable_queues import UndeliverableQueues

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Head:
    queue: str
    stuck: bool = False
    readable: bool = False


async def noted(url: str) -> tuple[UndeliverableQueue, ...]:
    """As `coordinator doctor` finds it."""
    facts = await asyncio.to_thread(examine, url, NOW)
    assert facts.state is not None, facts
    return facts.state.stuck


async def test_a_note_is_kept_until_some_coordinator_has_read_the_queue(
    ledger: Ledger, ledger_url: str
) -> None:
    log, other = Head("coordinator.log"), Head("coordinator.unrouted", readable=True)
    ours = UndeliverableQueues(ledger, heads=lambda: [log, other], now=lambda: NOW)
    await ours.look()
    assert await noted(ledger_url) == ()
    log.stuck = True
    await ours.look()
    assert await noted(ledger_url) == (UndeliverableQueue(queue="coordinator.log", since=NOW),)

    successor = Head("coordinator.log")
    theirs = UndeliverableQueues(ledger, heads=lambda: [successor], now=lambda: NOW)
    await theirs.look()
    assert await noted(ledger_url) != (), "it has not read the queue yet"
    successor.readable = True
    await theirs.look()
    assert await noted(ledger_url) == ()
