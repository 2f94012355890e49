"""Waits for answers end when their time is over, once, and others are left alone."""

from __future__ import annotations

from typing import Any

import pytest

from coordinator.errors import BrokerUnavailable
from coordinator.protocol.message import Message
from coordinator.protocol.messages.events import Event, TaskAnswered
from coordinator.recovery.overdue.overdue_ends import SAID_AGAIN, OverdueEnds
from coordinator.recovery.overdue.unanswered_questions import BATCH, UNANSWERED_QUESTIONS
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.upkeep.unanswered_tasks import UnansweredTasks
from tests.support.decoding import decode
from tests.unit.domain.histories import answered, asked, at, cancelled, started, submitted
from tests.unit.registry.answers import answers, stored

TIMEOUT = 60
OVER = at(2 + TIMEOUT)
"""`histories.asked` asks at two."""


class World:
    """A ledger, a broker that does as it is told, and the questions of two coordinators."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.now = OVER
        self.log: list[Event] = []
        self.messages = 0
        self.noted: list[Event] = []
        self.broken = False
        self.mine, self.theirs = (
            OverdueEnds(
                UNANSWERED_QUESTIONS,
                overdue=UnansweredTasks(ledger),
                publisher=self,
                note=self.noted.append,
                ready=lambda: True,
                now=lambda: self.now,
            )
            for _ in range(2)
        )

    async def publish(self, message: Message, *, exchange: str, key: str, **_: Any) -> None:
        if self.broken:
            raise BrokerUnavailable
        self.messages += 1
        self.log += decode(message, key)

    async def fold(self) -> None:
        events, self.log = self.log, []
        await stored(self.ledger, *events)

    async def states(self) -> dict[str, str]:
        return {row["task_id"]: row["state"] for row in (await answers(self.ledger))["tasks"]}


@pytest.fixture
def world(ledger: Ledger) -> World:
    return World(ledger)


def asking(task_id: str, **more: Any) -> list[Event]:
    given = {"release": True, "timeout_seconds": TIMEOUT} | more
    return [submitted(task_id), started(task_id=task_id), asked(task_id=task_id, **given)]


async def test_the_next_attempt_begins_without_an_answer_where_the_time_is_over(
    world: World,
) -> None:
    await stored(
        world.ledger,
        *asking("over"),
        *asking("later", timeout_seconds=TIMEOUT + 1),
        *asking("for ever", timeout_seconds=None),
        *asking("answered"), answered(task_id="answered"),
        *asking("cancelled"), cancelled(task_id="cancelled"),
    )  # fmt: skip
    assert await world.mine.look() == 1
    (told,) = world.log
    assert isinstance(told.data, TaskAnswered)
    assert (told.data.task_id, told.data.timed_out) == ("over", True)
    assert world.noted == [told]
    await world.fold()
    states = await world.states()
    assert states["over"] != "input_required"
    assert states["later"] == states["for ever"] == "input_required"
    assert await world.mine.look() == 0


async def test_an_attempt_that_keeps_its_slot_ends_its_wait_by_itself(world: World) -> None:
    await stored(world.ledger, *asking("t", release=False))
    assert await world.mine.look() == 0


async def test_several_coordinators_and_repetitions_end_a_wait_once(world: World) -> None:
    await stored(world.ledger, *asking("t"))
    told = (await world.mine.look(), await world.mine.look(), await world.theirs.look())
    assert told == (1, 0, 1)
    assert len({event.id for event in world.log}) == 1
    world.now += SAID_AGAIN
    assert await world.mine.look() == 1
    await world.fold()
    assert (await world.states())["t"] != "input_required"


async def test_an_answer_that_reached_the_log_first_counts(world: World) -> None:
    await stored(world.ledger, *asking("t"))
    await world.mine.look()
    await stored(world.ledger, answered("yes", task_id="t"))
    before = (await answers(world.ledger))["tasks"]
    await world.fold()
    assert (await answers(world.ledger))["tasks"] == before


async def test_while_the_broker_is_away_nothing_is_taken_for_said(world: World) -> None:
    await stored(world.ledger, *asking("t"))
    world.broken = True
    with pytest.raises(BrokerUnavailable):
        await world.mine.look()
    world.broken = False
    assert await world.mine.look() == 1


async def test_many_are_ended_with_few_messages(world: World) -> None:
    events = [event for n in range(BATCH + 1) for event in asking(f"t{n}")]
    await stored(world.ledger, *events)
    while await world.mine.look():
        await world.fold()
    assert "input_required" not in (await world.states()).values()
    assert world.messages == 2
