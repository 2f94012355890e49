"""One ended task is deleted by request, with all that was said of it."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from coordinator.domain.task_queues import TaskQueues
from coordinator.errors import LedgerBehind, TaskNotFound, WrongState
from coordinator.protocol.messages.events import Event
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.ledger.ledger_rebuild import rebuild
from coordinator.registry.queries.registry import Registry
from coordinator.registry.stores.request_turns import RequestTurns
from coordinator.registry.tables import schema
from coordinator.registry.upkeep.requested_deletion import RequestedDeletion
from tests.unit.domain.histories import at, cancelled, completed, failed, started, submitted
from tests.unit.registry.answers import answers, stored
from tests.unit.registry.fleet import Fleet

DEAD = [submitted(max_attempts=1), started(), failed()]


async def nothing() -> None:
    """There is one coordinator, and nothing under way."""


class Side:
    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.registry = Registry(
            ledger=ledger,
            agents=Fleet(),
            book=TaskQueues(),
            catch_up=nothing,
            hear=nothing,
        )
        turns = RequestTurns(
            ledger=ledger, pending=self.registry.pending, settle=self.registry.settle
        )
        self.now = at(3600)
        self.delete = RequestedDeletion(
            turns=turns,
            find=self.registry.current_task,
            note=self.registry.note_deleted,
            now=lambda: self.now,
        ).delete


@pytest.fixture
def side(ledger: Ledger) -> Side:
    return Side(ledger)


async def totals(ledger: Ledger) -> Any:
    return (await answers(ledger))["totals"]


async def test_a_deleted_task_leaves_nothing_but_the_totals(side: Side) -> None:
    await stored(side.ledger, *DEAD, submitted("other"))
    before = await totals(side.ledger)

    await side.delete("t")

    with pytest.raises(TaskNotFound):
        await side.registry.find("t")
    assert (await side.registry.find("other")).state == "queued"
    query = sa.select(schema.events.c.subject)
    left = await side.ledger.read(lambda connection: connection.execute(query).scalars().all())
    assert set(left) == {"other"}
    assert await totals(side.ledger) == before
    await side.ledger.write(rebuild)
    assert await totals(side.ledger) == before


@pytest.mark.parametrize(
    ("events", "sentence"),
    [
        ([submitted()], "is queued: cancel it"),
        ([submitted(), started()], "is running: cancel it"),
        ([submitted(), cancelled()], "its message may still be on its queue"),
    ],
)
async def test_what_goes_on_or_may_be_taken_is_not_deleted(
    side: Side, events: list[Event], sentence: str
) -> None:
    await stored(side.ledger, *events)
    with pytest.raises(WrongState, match=sentence):
        await side.delete("t")
    assert (await side.registry.find("t")).task_id == "t"


@pytest.mark.parametrize(
    "events", [DEAD, [submitted(), completed()], [submitted(), started(), cancelled()]]
)
async def test_whatever_has_ended_and_left_its_queue_is_deleted(
    side: Side, events: list[Event]
) -> None:
    await stored(side.ledger, *events)
    await side.delete("t")
    assert (await answers(side.ledger))["tasks"] == []


async def test_an_end_that_is_not_folded_yet_is_waited_for(side: Side) -> None:
    await stored(side.ledger, submitted(), started())
    side.registry.note(cancelled())
    with pytest.raises(LedgerBehind):
        await side.delete("t")


@pytest.mark.parametrize(
    "events",
    [
        [submitted(not_before=at(1)), cancelled(seconds=4)],
        [submitted(), started(), failed(), cancelled(attempt=1, seconds=4)],
        [*DEAD, submitted(generation=2, not_before=at(1)), cancelled(generation=2, seconds=4)],
    ],
    ids=["scheduled", "waiting", "redriven"],
)
async def test_a_task_whose_message_may_be_on_its_way_is_deleted_a_while_later(
    side: Side, events: list[Event]
) -> None:
    """The outbox may be publishing an attempt while the task is cancelled: folded after a deletion, its
    message would bring the task back.
    """
    await stored(side.ledger, *events)
    side.now = at(10)
    with pytest.raises(WrongState, match="may have been on its way to its queue: delete it in 30"):
        await side.delete("t")
    side.now = at(40)
    await side.delete("t")


async def test_a_task_that_was_cancelled_in_an_agents_hands_is_deleted_at_once(side: Side) -> None:
    await stored(side.ledger, submitted(), started(), cancelled(seconds=4))
    side.now = at(5)
    await side.delete("t")
