"""Cancelling a group: what waits, what is scheduled and what runs, each once, whoever else acts on it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import pytest

from coordinator.domain.labels.task_labels import LabelFilter
from coordinator.domain.task import State
from coordinator.errors import BrokerUnavailable, LedgerBehind, OutcomeUnknown
from coordinator.protocol.message import Message
from coordinator.protocol.messages.events import Event, TaskCancelled
from coordinator.recovery.groups.group_canceller import GroupCanceller
from coordinator.registry.ledger.batch_folding import store
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.stores.group_tasks import GroupTasks
from coordinator.registry.stores.outbox_rows import OutboxRows
from coordinator.registry.stores.turn_rows import TurnLook, enter
from coordinator.registry.tables.labels.group_total_rows import group_counts
from tests.support.decoding import decode
from tests.unit.domain.histories import RULES, at, completed, failed, started, submitted

G = LabelFilter(group="g")


class World:
    """The ledger and a broker; what is published is folded when the ledger is settled."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.log: list[Event] = []
        self.sent: list[int] = []
        self.refusal: Exception | None = None
        self.before_settling: list[Event] = []
        self.behind = False
        outbox = OutboxRows(ledger, now=lambda: RULES.now)
        self.canceller = GroupCanceller(
            tasks=GroupTasks(ledger, now=lambda: RULES.now),
            settle=self.settle,
            publisher=self,
            outbox=outbox,
            note=lambda _: None,
            chunk=3,
        )

    async def publish(
        self, message: Message, *, exchange: str, key: str, mandatory: bool = False
    ) -> None:
        if self.refusal is not None:
            raise self.refusal
        events = decode(message, key)
        self.sent.append(len(events))
        self.log += events

    async def settle(self) -> None:
        if self.behind:
            raise LedgerBehind("later")
        events, self.log = [*self.before_settling, *self.log], []
        self.before_settling = []
        await self.fold(events)

    async def fold(self, events: Sequence[Event]) -> None:
        await self.ledger.write(lambda connection: store(connection, events, RULES))

    async def counts(self) -> dict[str, int]:
        found = await self.ledger.read(partial(group_counts, group_id="g"))
        return {state.value: count for state, count in found.counts.items() if count}


@pytest.fixture
async def world(ledger: Ledger) -> World:
    world = World(ledger)
    world.log = [
        submitted("queued", group="g", tags=("x",), submitted_by="key:ada"),
        submitted("running", group="g", tags=("x",)),
        started(task_id="running"),
        submitted("waiting", group="g"),
        started(task_id="waiting"),
        failed(task_id="waiting"),
        submitted("scheduled", group="g", not_before=at(60)),
        submitted("done", group="g", tags=("x",)),
        started(task_id="done"),
        completed(task_id="done"),
        submitted("other", group="h"),
    ]
    return world


async def test_all_that_goes_on_is_ended_and_told_by_its_state(world: World) -> None:
    done = await world.canceller.cancel(G, limit=100, reason="by mistake", by="key:boss")
    live = (State.QUEUED, State.RUNNING, State.WAITING, State.SCHEDULED)
    assert (done.was, done.left, done.cancelled) == (dict.fromkeys(live, 1), 0, 4)
    assert await world.counts() == {"cancelled": 4, "completed": 1}
    assert world.sent == [3, 1]


async def test_a_repetition_ends_nothing_more(world: World) -> None:
    await world.canceller.cancel(G, limit=100)
    again = await world.canceller.cancel(G, limit=100)
    assert (again.was, again.left) == ({}, 0)
    assert world.sent == [3, 1]


async def test_the_words_of_who_asks_go_into_the_event(world: World) -> None:
    told: list[Event] = []
    world.canceller._note = told.append
    await world.canceller.cancel(G, limit=100, reason="by mistake", by="key:boss")
    for event in told:
        assert isinstance(event.data, TaskCancelled)
        assert (event.data.reason, event.data.message, event.data.by) == (
            *("requested", "by mistake"),
            "key:boss",
        )


async def test_who_may_act_on_its_own_tasks_alone_ends_those(world: World) -> None:
    done = await world.canceller.cancel(G, limit=100, own="key:ada")
    assert (done.was, done.left) == ({State.QUEUED: 1}, 0)
    nobodys = await world.canceller.cancel(G, limit=100, own="key:eve")
    assert (nobodys.was, nobodys.left) == ({}, 0)


async def test_only_tasks_with_the_tags_are_ended(world: World) -> None:
    wanted = LabelFilter(group="g", tags=frozenset({"x"}))
    done = await world.canceller.cancel(wanted, limit=100)
    assert (done.was, done.left) == ({State.QUEUED: 1, State.RUNNING: 1}, 0)


async def test_no_more_are_ended_than_the_limit_and_a_repetition_goes_on(world: World) -> None:
    first = await world.canceller.cancel(G, limit=1)
    assert (first.cancelled, first.left) == (1, 3)
    second = await world.canceller.cancel(G, limit=100)
    assert (second.cancelled, second.left) == (3, 0)


async def test_what_an_agent_ended_a_moment_before_is_not_counted(world: World) -> None:
    await world.settle()
    world.log = []
    ended = [completed(task_id="running")]
    take = world.canceller._tasks.take

    async def meanwhile(*wanted: object, **more: object) -> object:
        world.before_settling += ended
        ended.clear()
        return await take(*wanted, **more)  # type: ignore[arg-type]

    world.canceller._tasks.take = meanwhile  # type: ignore[method-assign,assignment]
    done = await world.canceller.cancel(G, limit=100)
    assert State.RUNNING not in done.was
    assert done.cancelled == 3
    assert await world.counts() == {"cancelled": 3, "completed": 2}


async def test_what_another_request_acts_on_is_left_to_it_and_told(world: World) -> None:
    await world.settle()
    look = TurnLook(now=RULES.now)
    await world.ledger.write(lambda connection: enter(connection, ["queued"], look))
    done = await world.canceller.cancel(G, limit=100)
    assert (done.cancelled, done.left) == (3, 1)
    assert await world.counts() == {"queued": 1, "cancelled": 3, "completed": 1}


async def test_two_at_a_time_end_each_task_once(world: World) -> None:
    await world.settle()
    both = await asyncio.gather(*(world.canceller.cancel(G, limit=100) for _ in range(2)))
    assert sum(one.cancelled for one in both) == 4
    assert await world.counts() == {"cancelled": 4, "completed": 1}


async def test_a_refusal_gives_the_turns_back(world: World) -> None:
    world.refusal = BrokerUnavailable()
    with pytest.raises(BrokerUnavailable):
        await world.canceller.cancel(G, limit=100)
    world.refusal = None
    assert (await world.canceller.cancel(G, limit=100)).cancelled == 4


async def test_what_may_have_been_published_keeps_its_turn(world: World) -> None:
    world.refusal = OutcomeUnknown()
    with pytest.raises(OutcomeUnknown):
        await world.canceller.cancel(G, limit=100)
    world.refusal = None
    assert (await world.canceller.cancel(G, limit=100)).left == 3


async def test_nothing_is_done_where_it_cannot_be_told_what_there_is(world: World) -> None:
    world.behind = True
    with pytest.raises(LedgerBehind):
        await world.canceller.cancel(G, limit=100)
    assert world.sent == []
