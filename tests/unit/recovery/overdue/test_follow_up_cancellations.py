"""Follow-up tasks that ask for it are cancelled with their parent, in whatever order the two come."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from coordinator.protocol.message import Message
from coordinator.protocol.messages.events import Event
from coordinator.recovery.overdue.follow_up_cancellations import BATCH, FOLLOW_UP_CANCELLATIONS
from coordinator.recovery.overdue.overdue_ends import OverdueEnds
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.ledger.ledger_rebuild import rebuild
from coordinator.registry.tables import schema
from coordinator.registry.upkeep.stopped_follow_ups import StoppedFollowUps
from coordinator.registry.upkeep.task_removal import forget
from tests.support.decoding import decode
from tests.unit.domain.histories import (
    at,
    cancelled,
    completed,
    expired,
    failed,
    started,
    submitted,
)
from tests.unit.registry.answers import answers, execute, stored


class World:
    """A ledger, its log, and the loop of a coordinator; another one begins wherever this one is killed."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.log: list[Event] = []
        self.messages = 0

    def coordinator(self) -> OverdueEnds:
        return OverdueEnds(
            FOLLOW_UP_CANCELLATIONS,
            overdue=StoppedFollowUps(self.ledger),
            publisher=self,
            note=lambda _: None,
            ready=lambda: True,
            now=lambda: at(100),
        )

    async def publish(self, message: Message, *, exchange: str, key: str, **_: Any) -> None:
        self.messages += 1
        self.log += decode(message, key)

    async def settle(self, *events: Event) -> dict[str, str]:
        """Fold ``events`` and what follows from them; the states of all tasks in the end."""
        await stored(self.ledger, *events)
        loop = self.coordinator()
        while await loop.look():
            said, self.log = self.log, []
            await stored(self.ledger, *said)
        return {row["task_id"]: row["state"] for row in (await answers(self.ledger))["tasks"]}

    async def orders(self) -> list[str]:
        query = sa.select(schema.cancellations.c.task_id)
        return sorted(await self.ledger.read(lambda one: one.execute(query).scalars().all()))


@pytest.fixture
def world(ledger: Ledger) -> World:
    return World(ledger)


def bound(task_id: str, parent_id: str = "parent", with_generation: int = 1, **more: Any) -> Event:
    return submitted(task_id, parent_id=parent_id, cancel_with_parent=with_generation, **more)


PARENT = [submitted("parent", max_attempts=2), started(task_id="parent")]


async def test_those_that_asked_for_it_and_go_on_are_cancelled_with_their_parent(
    world: World,
) -> None:
    states = await world.settle(
        *PARENT,
        bound("queued"),
        bound("scheduled", not_before=at(500)),
        bound("running"), started(task_id="running"),
        bound("waiting", max_attempts=2), started(task_id="waiting"), failed(task_id="waiting"),
        bound("done"), completed(task_id="done"),
        submitted("unbound", parent_id="parent"),
        bound("another's", parent_id="other"),
        cancelled(task_id="parent"),
    )  # fmt: skip
    assert states == {
        "parent": "cancelled",
        "queued": "cancelled",
        "scheduled": "cancelled",
        "running": "cancelled",
        "waiting": "cancelled",
        "done": "completed",
        "unbound": "queued",
        "another's": "queued",
    }
    assert await world.orders() == []
    [error] = [
        one["error"]
        for one in (await answers(world.ledger))["tasks"]
        if one["task_id"] == "running"
    ]
    assert "The task 'parent', whose handler has submitted it" in error


@pytest.mark.parametrize(
    ("end", "becomes"),
    [
        ([cancelled(task_id="parent")], "cancelled"),
        ([cancelled("cleared", task_id="parent")], "cancelled"),
        ([failed(task_id="parent"), expired(task_id="parent", attempt=2)], "cancelled"),
        ([completed(task_id="parent")], "queued"),
        ([failed(task_id="parent")], "queued"),
        ([failed(task_id="parent", retryable=False)], "queued"),
    ],
    ids=["cancelled", "cleared", "expired", "completed", "waiting", "dead"],
)
async def test_how_the_parent_ended_decides(world: World, end: list[Event], becomes: str) -> None:
    states = await world.settle(*PARENT, bound("child"), *end)
    assert states["child"] == becomes


@pytest.mark.parametrize("apart", [False, True])
async def test_one_that_reaches_the_log_after_the_end_of_its_parent_is_cancelled(
    world: World, apart: bool
) -> None:
    end = [*PARENT, cancelled(task_id="parent")]
    if apart:
        await world.settle(*end)
        end = []
    assert (await world.settle(*end, bound("late")))["late"] == "cancelled"


@pytest.mark.parametrize("apart", [False, True])
async def test_one_whose_parent_was_sent_round_again_before_it_came_is_cancelled(
    world: World, apart: bool
) -> None:
    before = [*PARENT, cancelled(task_id="parent"), submitted("parent", 2)]
    if apart:
        await world.settle(*before)
        before = []
    states = await world.settle(*before, bound("late"), bound("new", with_generation=2))
    assert (states["late"], states["new"]) == ("cancelled", "queued")


async def test_those_below_them_are_cancelled_as_far_as_each_asked_for_it(world: World) -> None:
    states = await world.settle(
        *PARENT,
        bound("child"),
        bound("grandchild", "child"),
        submitted("free", parent_id="child"),
        bound("below the free", "free"),
        bound("done"), completed(task_id="done"),
        bound("below the done", "done"),
        cancelled(task_id="parent"),
    )  # fmt: skip
    assert states["grandchild"] == "cancelled"
    assert (states["free"], states["below the free"], states["below the done"]) == ("queued",) * 3


async def test_what_a_person_sends_round_again_goes_on_until_the_parent_is_cancelled_once_more(
    world: World,
) -> None:
    await world.settle(*PARENT, bound("child"), cancelled(task_id="parent"))
    again = bound("child", generation=2)
    assert (await world.settle(again))["child"] == "queued"
    late = started("bob", task_id="parent")  # changes nothing, and is no end
    assert (await world.settle(late))["child"] == "queued"
    more = [submitted("parent", 2), cancelled(task_id="parent", generation=2)]
    assert (await world.settle(*more))["child"] == "cancelled"


async def test_one_that_was_sent_round_again_is_bound_before_its_new_message_is_folded(
    world: World,
) -> None:
    dead = [bound("child", max_attempts=3), failed(task_id="child", retryable=False)]
    retried = failed(task_id="child", generation=2)
    assert (await world.settle(*PARENT, *dead, retried))["child"] == "waiting"
    assert (await world.settle(cancelled(task_id="parent")))["child"] == "cancelled"


async def test_children_of_a_parent_that_was_sent_round_again_at_once_are_cancelled(
    world: World,
) -> None:
    states = await world.settle(
        *PARENT, bound("child"), cancelled(task_id="parent"), submitted("parent", 2)
    )
    assert (states["parent"], states["child"]) == ("queued", "cancelled")


async def test_an_order_outlives_whoever_was_to_carry_it_out_and_a_rebuild(world: World) -> None:
    await stored(world.ledger, *PARENT, bound("child"), cancelled(task_id="parent"))
    assert await world.coordinator().look() == 1  # killed before the broker has it
    world.log = []
    await world.ledger.write(rebuild)
    assert await world.orders() == ["child"]
    assert await world.coordinator().look() == 1
    said, world.log = world.log, []
    assert await world.coordinator().look() == 1  # killed before it was folded
    assert {event.id for event in world.log} == {event.id for event in said}
    states = await world.settle(*said, *world.log)
    assert states["child"] == "cancelled"
    await world.ledger.write(rebuild)
    assert await world.orders() == []
    assert await world.settle() == states


async def test_one_that_ends_before_its_order_is_carried_out_stays_as_it_ended(
    world: World,
) -> None:
    await stored(world.ledger, *PARENT, bound("child"), cancelled(task_id="parent"))
    assert (await world.settle(completed(task_id="child")))["child"] == "completed"
    assert await world.orders() == []


async def test_orders_go_with_their_tasks(world: World) -> None:
    await stored(world.ledger, *PARENT, bound("child"), cancelled(task_id="parent"))
    await world.ledger.write(partial(forget, task_ids=["child"]))
    assert await world.orders() == []


async def test_many_are_cancelled_with_few_messages(world: World) -> None:
    many = [bound(f"t{n}") for n in range(BATCH + 1)]
    states = await world.settle(*PARENT, *many, cancelled(task_id="parent"))
    assert set(states.values()) == {"cancelled"}
    assert world.messages == 2


async def test_a_row_of_a_parent_that_cannot_be_read_stops_no_fold(ledger: Ledger) -> None:
    world = World(ledger)
    await stored(ledger, *PARENT)
    broken = schema.tasks.update().values(state="nonsense")
    await ledger.write(partial(execute, broken))
    await stored(ledger, bound("late"))
    assert await world.orders() == []


@pytest.mark.parametrize(
    "ordered_before",
    [
        [],
        [*PARENT, bound("child")],
        [*PARENT, bound("child"), cancelled(task_id="parent")],
    ],
    ids=["all-at-once", "bound", "ordered"],
)
async def test_what_was_sent_round_again_goes_on_though_the_end_of_its_parent_is_folded_with_it(
    world: World, ordered_before: list[Event]
) -> None:
    end = failed(task_id="child", retryable=False)
    log = [*PARENT, bound("child"), cancelled(task_id="parent"), end, bound("child", generation=2)]
    await stored(world.ledger, *ordered_before)
    states = await world.settle(*log[len(ordered_before) :])
    assert (states["child"], await world.orders()) == ("queued", [])


@pytest.mark.parametrize("folded_before", [0, 4, 5])
async def test_one_that_had_ended_before_its_parent_goes_on_when_it_is_sent_round_again_later(
    world: World, folded_before: int
) -> None:
    dead = failed(task_id="child", retryable=False)
    log = [*PARENT, bound("child"), dead, cancelled(task_id="parent"), bound("child", generation=2)]
    await stored(world.ledger, *log[:folded_before])
    states = await world.settle(*log[folded_before:])
    assert (states["child"], await world.orders()) == ("queued", [])


@pytest.mark.parametrize("folded_before", [0, 4])
async def test_one_that_was_sent_round_again_before_the_end_of_its_parent_is_cancelled(
    world: World, folded_before: int
) -> None:
    dead = failed(task_id="child", retryable=False)
    log = [*PARENT, bound("child"), dead, bound("child", generation=2), cancelled(task_id="parent")]
    await stored(world.ledger, *log[:folded_before])
    assert (await world.settle(*log[folded_before:]))["child"] == "cancelled"


@pytest.mark.parametrize("folded_before", [0, 4, 6])
async def test_what_was_sent_round_again_is_cancelled_where_its_parent_is_stopped_once_more(
    world: World, folded_before: int
) -> None:
    log = [
        *PARENT, bound("child"), cancelled(task_id="parent"),
        cancelled("with-parent", task_id="child"), bound("child", generation=2),
        submitted("parent", 2), cancelled(task_id="parent", generation=2),
    ]  # fmt: skip
    await stored(world.ledger, *log[:folded_before])
    assert (await world.settle(*log[folded_before:]))["child"] == "cancelled"


@pytest.mark.parametrize("folded_before", [0, 3, 4, 5])
async def test_one_that_came_too_late_ended_and_was_sent_round_again_goes_on(
    world: World, folded_before: int
) -> None:
    log = [
        *PARENT, cancelled(task_id="parent"),
        bound("late"), cancelled("with-parent", task_id="late"), bound("late", generation=2),
    ]  # fmt: skip
    await stored(world.ledger, *log[:folded_before])
    states = await world.settle(*log[folded_before:])
    assert (states["late"], await world.orders()) == ("queued", [])


@pytest.mark.parametrize("folded_before", [0, 3])
async def test_one_that_came_while_its_parent_was_dead_goes_on_when_the_parent_is_sent_round_again(
    world: World, folded_before: int
) -> None:
    dead = failed(task_id="parent", retryable=False)
    log = [*PARENT, dead, bound("child"), submitted("parent", 2)]
    await stored(world.ledger, *log[:folded_before])
    assert (await world.settle(*log[folded_before:]))["child"] == "queued"


async def test_a_parent_with_more_tasks_than_one_statement_takes_names_of_is_folded(
    world: World,
) -> None:
    many = [bound(f"t{n}") for n in range(1100)]
    await stored(world.ledger, *PARENT, *many)
    again = [cancelled("requested", task_id=f"t{n}") for n in range(1100)]
    redriven = [bound(f"t{n}", generation=2) for n in range(1100)]
    states = await world.settle(cancelled(task_id="parent"), *again, *redriven, bound("late"))
    assert (states.pop("parent"), states.pop("late")) == ("cancelled", "cancelled")
    assert set(states.values()) == {"queued"}
