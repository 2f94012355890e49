"""One coordinator at a time writes what the log says, also when one wakes up late."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
from sqlalchemy.engine import Connection

from coordinator.errors import Superseded
from coordinator.protocol.messages.events import Event
from coordinator.registry.ledger.batch_folding import FoldedBatch, store
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.projection.projector_fence import ProjectorFence
from tests.support.waiting import eventually
from tests.unit.domain.histories import completed, started, submitted
from tests.unit.registry.answers import RULES, answers


@pytest.fixture
async def ledgers(ledger_url: str) -> AsyncIterator[tuple[Ledger, Ledger]]:
    """Of two processes."""
    async with Ledger(ledger_url) as first, Ledger(ledger_url) as second:
        yield first, second


async def fold(fence: ProjectorFence, *events: Event) -> FoldedBatch:
    return await fence.write(lambda connection: store(connection, events, RULES))


async def states(ledger: Ledger) -> dict[str, str]:
    return {row["task_id"]: row["state"] for row in (await answers(ledger))["tasks"]}


async def test_whoever_began_the_latest_epoch_writes_and_the_others_write_nothing(
    ledgers: tuple[Ledger, Ledger],
) -> None:
    first, second = (ProjectorFence(ledger) for ledger in ledgers)
    await first.begin_epoch()
    await fold(first, submitted("a"))
    await second.begin_epoch()
    with pytest.raises(Superseded):
        await fold(first, submitted("b"))
    assert (first.held, second.held) == (False, True)
    await fold(second, submitted("c"))
    assert await states(ledgers[1]) == {"a": "queued", "c": "queued"}

    await first.begin_epoch()
    await fold(first, started(task_id="a"))
    with pytest.raises(Superseded):
        await fold(second, completed(task_id="a"))
    assert await states(ledgers[0]) == {"a": "running", "c": "queued"}


async def test_nothing_is_written_without_an_epoch(ledger: Ledger) -> None:
    fence = ProjectorFence(ledger)
    with pytest.raises(Superseded):
        await fold(fence, submitted("a"))
    await fence.begin_epoch()
    fence.release()
    with pytest.raises(Superseded):
        await fold(fence, submitted("a"))
    assert await states(ledger) == {}


async def test_a_new_epoch_waits_for_the_transaction_that_is_under_way(
    ledgers: tuple[Ledger, Ledger],
) -> None:
    """What was begun under the older epoch is there when the newer one begins to read."""
    first, second = (ProjectorFence(ledger) for ledger in ledgers)
    await first.begin_epoch()
    begun, go_on = threading.Event(), threading.Event()

    def slowly(connection: Connection) -> None:
        begun.set()
        go_on.wait(4)
        store(connection, [submitted("a")], RULES)

    writing = asyncio.create_task(first.write(slowly))
    await eventually(begun.is_set)
    beginning = asyncio.create_task(second.begin_epoch())
    done, _ = await asyncio.wait([beginning], timeout=0.2)
    assert not done
    go_on.set()
    await writing
    await beginning
    assert await states(ledgers[1]) == {"a": "queued"}
    with pytest.raises(Superseded):
        await fold(first, submitted("b"))
