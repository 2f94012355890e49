"""Tasks that are missing from their queue are found by what overtook them, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, cast

import pytest

from coordinator.broker.channel import Depth
from coordinator.broker.connection import Link
from coordinator.domain.announced_types import AnnouncedTypes
from coordinator.domain.transitions.effects import Rules
from coordinator.errors import LedgerBehind, OutcomeUnknown
from coordinator.protocol.message import Message
from coordinator.protocol.messages.events import Event
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.task_token import task_token
from coordinator.recovery.doubted_tasks import DoubtedTasks
from coordinator.recovery.oversized_tasks import OversizedTasks
from coordinator.recovery.reconciler import Reconciler
from coordinator.recovery.task_republisher import TaskRepublisher
from coordinator.registry.ledger.batch_folding import store
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.upkeep.missing_tasks import MissingTasks
from tests.support.decoding import decode
from tests.unit.domain.histories import START, at, completed, failed, started, submitted

SECRET = b"s" * 32
AFTER = timedelta(minutes=10)


class World:
    """A ledger, a queue that may have lost something, agents' heartbeats and a clock."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.now = 1000.0
        self.ready = 0
        self.held_by_someone_else = False
        """Taking finds one although the look found none, or the other way round."""
        self.in_hand: dict[tuple[str, int], int] = {}
        self.behind = False
        self.published: list[TaskMessage] = []
        self.log: list[Event] = []
        self.unanswered = False
        self.given_back = 0
        self.doubted = DoubtedTasks()
        overtaken = MissingTasks(ledger)
        self.reconciler = Reconciler(
            overtaken=overtaken,
            depths=self,
            puts=TaskRepublisher(
                messages=overtaken.messages,
                ensure=self.ensure,
                puts=OversizedTasks(publisher=self, note=lambda _: None),
                secret=SECRET,
                types=AnnouncedTypes(),
            ),
            catch_up=self.catch_up,
            in_hand=lambda: self.in_hand,
            after=AFTER,
            doubted=self.doubted,
            monotonic=lambda: self.now,
        )

    async def catch_up(self) -> None:
        if self.behind:
            raise LedgerBehind

    async def ensure(self, source: TaskQueue, requirements: Requirements, *, again: bool) -> None:
        assert again

    async def look(self, queues: Iterable[str]) -> Mapping[str, Depth | None]:
        return {name: Depth(self.ready, consumers=1) for name in queues}

    async def channel(self) -> World:
        return self

    async def get(self, queue: str) -> World | None:
        return self if self.held_by_someone_else else None

    async def give_back(self) -> None:
        self.given_back += 1

    async def close(self) -> None:
        pass

    async def publish(
        self, message: Message, *, exchange: str, key: str, mandatory: bool = False
    ) -> None:
        if self.unanswered:
            raise OutcomeUnknown
        self.published.append(TaskMessage.from_message(message))
        self.log += decode(message, key)

    async def fold(self, *events: Event) -> None:
        rules = Rules(now=START)
        waiting, self.log = [*events, *self.log], []
        await self.ledger.write(lambda connection: store(connection, waiting, rules))

    async def round(self) -> int:
        return await self.reconciler.look(cast("Link", self))

    async def after_a_while(self) -> int:
        """Seen once, and looked at again after the time that makes sure."""
        assert await self.round() == 0
        self.now += AFTER.total_seconds()
        return await self.round()

    def again(self) -> list[tuple[str, int, int]]:
        return [(one.task_id, one.generation, one.attempt) for one in self.published]


@pytest.fixture
def world(ledger: Ledger) -> World:
    return World(ledger)


def waits(task_id: str, after: float = 0, **more: Any) -> Event:
    """Submitted so many seconds after the first."""
    return submitted(task_id, submitted_at=at(after), **more)


async def overtake(world: World) -> None:
    """`lost` was submitted before `later`, which has started."""
    await world.fold(waits("lost"), waits("later", 1))
    await world.fold(started(task_id="later"))


async def test_a_task_that_a_later_one_overtook_long_ago_is_published_again(world: World) -> None:
    await overtake(world)
    assert await world.after_a_while() == 1
    (again,) = world.published
    assert (again.task_id, again.attempt, again.republished) == ("lost", 1, 1)
    assert again.message_id == "lost.1.1.again-1"
    assert again.task_token == task_token(SECRET, "lost", 1, 1)
    await world.fold()
    assert await world.after_a_while() == 0, "it waits at the end of the queue now"


async def test_a_follow_up_task_stays_its_parents_and_bound_to_it(world: World) -> None:
    await world.fold(waits("lost", parent_id="parent", cancel_with_parent=3), waits("later", 1))
    await world.fold(started(task_id="later"))
    assert await world.after_a_while() == 1
    (again,) = world.published
    assert (again.parent_id, again.cancel_with_parent) == ("parent", 3)


async def test_not_before_its_time(world: World) -> None:
    await overtake(world)
    assert await world.round() == 0
    world.now += AFTER.total_seconds() - 1
    assert await world.round() == 0


async def test_what_is_in_an_agents_hands_is_left_alone(world: World) -> None:
    await overtake(world)
    world.in_hand = {("lost", 1): 1}
    assert await world.after_a_while() == 0
    world.in_hand = {("lost", 2): 1}
    assert await world.round() == 1


async def test_while_its_queue_holds_anything_it_may_be_there(world: World) -> None:
    """It came back to the head of the queue, and nobody takes anything now."""
    await overtake(world)
    world.ready = 1
    assert await world.after_a_while() == 0


async def test_a_look_that_finds_nothing_is_not_enough(world: World) -> None:
    await overtake(world)
    world.held_by_someone_else = True
    assert await world.after_a_while() == 0
    assert world.given_back == 1


async def test_in_a_queue_that_is_never_empty_others_pass_it_on(world: World) -> None:
    await overtake(world)
    world.ready = 100
    assert await world.round() == 0
    await world.fold(waits("even later", 2))
    await world.fold(started(task_id="even later"))
    world.now += AFTER.total_seconds()
    assert await world.round() == 1
    assert world.again() == [("lost", 1, 1)]


async def test_what_merely_waits_is_never_suspected(world: World) -> None:
    await world.fold(
        *(waits(f"t{n}", n) for n in range(50)),
        *(started(task_id=f"t{n}") for n in range(10)),
    )
    for _ in range(3):
        assert await world.after_a_while() == 0


async def test_another_queue_overtakes_nobody(world: World) -> None:
    await world.fold(waits("lost"), waits("later", 1, requirements={"capabilities": ["gpu"]}))
    await world.fold(started(task_id="later"))
    assert await world.after_a_while() == 0


async def test_a_retry_has_the_place_of_its_own_message(world: World) -> None:
    """Its task was submitted long before the others; it is at the end of the queue."""
    await overtake(world)
    await world.fold(started(task_id="lost"), failed(task_id="lost"))
    await world.fold(submitted("lost", attempt=2))
    assert await world.after_a_while() == 0
    await world.fold(waits("last", 2))
    await world.fold(started(task_id="last"))
    assert await world.after_a_while() == 1
    assert world.again() == [("lost", 1, 2)]
    assert world.published[0].message_id == "lost.1.2.again-1"


async def test_what_was_lost_again_is_published_again(world: World) -> None:
    await overtake(world)
    assert await world.after_a_while() == 1
    await world.fold()
    await world.fold(waits("last", 3), started(task_id="last"))
    assert await world.after_a_while() == 1
    assert [one.republished for one in world.published] == [1, 2]


async def test_what_started_meanwhile_or_has_ended_is_left_alone(world: World) -> None:
    await overtake(world)
    assert await world.round() == 0
    await world.fold(started(task_id="lost"))
    world.now += AFTER.total_seconds()
    assert await world.round() == 0
    await world.fold(completed(task_id="lost"))
    assert await world.after_a_while() == 0


async def test_while_the_ledger_is_behind_nothing_is_concluded(world: World) -> None:
    await overtake(world)
    assert await world.round() == 0
    world.now += AFTER.total_seconds()
    world.behind = True
    with pytest.raises(LedgerBehind):
        await world.round()
    assert world.published == []


async def test_what_is_not_answered_is_told_and_looked_at_again(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await overtake(world)
    world.unanswered = True
    await world.after_a_while()
    (told,) = (vars(one) for one in caplog.records if "not on its queue" in one.getMessage())
    assert (told["task_id"], told["attempt"]) == ("lost", 1)
    world.unanswered = False
    assert await world.round() == 1
    assert world.again() == [("lost", 1, 1)]


async def test_a_doubted_task_is_put_on_its_empty_queue_though_nothing_overtakes_it(
    world: World,
) -> None:
    await world.fold(waits("doubted"), waits("other", 1))
    world.doubted.add("doubted")
    world.doubted.add("unheard-of")
    assert await world.after_a_while() == 1
    assert world.again() == [("doubted", 1, 1)]
    assert world.doubted.all() == ["doubted"]


async def test_a_doubted_task_on_a_queue_that_is_not_empty_stays_where_it_is(world: World) -> None:
    await world.fold(waits("doubted"))
    world.doubted.add("doubted")
    world.ready = 1
    assert await world.after_a_while() == 0
    assert not world.published
