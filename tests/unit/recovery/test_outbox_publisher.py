"""The outbox: due attempts are published, whatever breaks between fold, publish and mark."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from coordinator.domain.announced_types import AnnouncedTypes
from coordinator.domain.retry_backoff import RetryBackoff
from coordinator.domain.task import Task
from coordinator.domain.transitions.effects import Rules
from coordinator.errors import (
    BrokerUnavailable,
    LedgerBehind,
    LedgerUnavailable,
    MessageTooLarge,
    OutcomeUnknown,
    TooManyLanes,
)
from coordinator.protocol.message import Message
from coordinator.protocol.messages.events import Event
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.task_token import task_token
from coordinator.protocol.topology import EVENTS, TASKS
from coordinator.recovery.outbox_publisher import POLL, RENEWED_EVERY, OutboxPublisher
from coordinator.recovery.oversized_tasks import OversizedTasks
from coordinator.registry.ledger.batch_folding import FoldedBatch, store
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.stores.outbox_rows import BATCH, LEASE, UNANSWERED, OutboxRows
from coordinator.registry.tables import schema
from coordinator.registry.tables.schema import micros
from coordinator.registry.tables.task_rows import task_of
from tests.support.decoding import decode
from tests.support.waiting import eventually
from tests.unit.domain.histories import (
    MAX_ATTEMPTS,
    START,
    at,
    cancelled,
    completed,
    dead_lettered,
    declined,
    expired,
    failed,
    progressed,
    started,
    submitted,
)

SECRET = b"s" * 32
PAUSE = timedelta(seconds=5)
QUICK = "/dev/shm" if Path("/dev/shm").is_dir() else None


class Killed(BaseException):
    """As by kill -9: nothing after it runs."""


class World:
    """A ledger, a clock, a broker that does as it is told, and a coordinator's outbox."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.now = START
        self.rows = OutboxRows(ledger, now=lambda: self.now)
        self.queue: list[TaskMessage] = []
        self.log: list[Event] = []
        """What is still to be folded."""
        self.faults: list[str] = []
        """For the next publishes: `refused`, `lost`, `unconfirmed`, `killed`, `given back` or `none`."""
        self.killed_before_mark = False
        self.sources: list[tuple[TaskQueue, bool]] = []
        self.limit: int | None = None
        """Bytes that the broker takes in one message; None for any number."""
        self.noted: list[Event] = []
        self.too_many_lanes = False
        self.ready = True
        self.behind = False
        """Whether the ledger does not get on with the log."""
        self.answers = asyncio.Event()
        """Until it is set the broker takes its time."""
        self.answers.set()
        self.renewed = 0
        self.in_flight = self.most_in_flight = 0
        self.taken = 0
        """Messages of the queue that an agent has taken."""
        self.renewed_every = RENEWED_EVERY

    def loop(self) -> OutboxPublisher:
        return OutboxPublisher(
            rows=self,
            puts=OversizedTasks(publisher=self, note=self.noted.append),
            ensure=self.ensure,
            secret=SECRET,
            types=AnnouncedTypes(),
            ready=lambda: self.ready,
            catch_up=self.catch_up,
            now=lambda: self.now,
            renewed_every=self.renewed_every,
        )

    # --- what the loop is given ---------------------------------------------------------------

    async def next_due(self) -> datetime | None:
        return await self.rows.next_due()

    async def any_in_doubt(self) -> bool:
        return await self.rows.any_in_doubt()

    async def lease(self, *, in_doubt: bool) -> list[TaskMessage]:
        return await self.rows.lease(in_doubt=in_doubt)

    async def catch_up(self) -> None:
        if self.behind:
            raise LedgerBehind
        await self.fold()

    async def done(self, published: Sequence[TaskMessage]) -> None:
        if self.killed_before_mark:
            self.killed_before_mark = False
            raise Killed
        await self.rows.done(published)

    async def renew(self, leased: Sequence[TaskMessage]) -> None:
        await self.rows.renew(leased)
        self.renewed += 1

    async def give_back(self, refused: Sequence[TaskMessage]) -> None:
        await self.rows.give_back(refused)

    async def put_off(self, unanswered: Sequence[TaskMessage]) -> None:
        await self.rows.put_off(unanswered)

    async def ensure(
        self, source: TaskQueue, requirements: Requirements, *, again: bool = False
    ) -> None:
        self.sources.append((source, again))
        if self.too_many_lanes and not again:
            raise TooManyLanes

    async def publish(
        self, message: Message, *, exchange: str, key: str, mandatory: bool = False
    ) -> None:
        if exchange == EVENTS:
            if self.faults:
                self.faults.pop(0)
                raise BrokerUnavailable
            self.log += decode(message, key)
            return
        assert exchange == TASKS
        if self.limit is not None and len(message.body) > self.limit:
            raise MessageTooLarge(len(message.body), self.limit)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await asyncio.sleep(0)
        await self.answers.wait()
        self.in_flight -= 1
        fault = self.faults.pop(0) if self.faults else "none"
        if fault == "killed":
            raise Killed
        if fault == "refused":
            raise BrokerUnavailable
        if fault == "lost":
            raise OutcomeUnknown
        task = TaskMessage.from_message(message)
        assert key == task.source.key
        self.log += decode(message, key)
        if fault == "given back":  # and told of, before the broker's confirm is seen
            await self.fold()
            await self.fold(declined(attempt=task.attempt, republished=task.republished or 0))
            return
        self.queue.append(task)
        if fault == "unconfirmed":
            raise OutcomeUnknown

    # --- what tests do ------------------------------------------------------------------------

    async def fold(self, *events: Event) -> FoldedBatch:
        """These, and what was published since."""
        waiting, self.log = [*events, *self.log], []
        rules = Rules(now=self.now, retry=RetryBackoff(first=PAUSE, spread=0))
        return await self.ledger.write(lambda connection: store(connection, waiting, rules))

    async def fail(self, task_id: str = "t", attempt: int = 1) -> None:
        """Submitted, started and failed: attempt 2 is due after the pause."""
        events = [started(task_id=task_id, attempt=attempt)]
        events.append(failed(task_id=task_id, attempt=attempt))
        await self.fold(*([submitted(task_id)] if attempt == 1 else []), *events)

    async def look(self) -> timedelta:
        """One round of a coordinator, which may be killed in it."""
        try:
            return await self.loop()._look()
        except Killed:
            return POLL

    def attempts(self) -> list[tuple[str, int]]:
        return [(task.task_id, task.attempt) for task in self.queue]

    async def outbox(self) -> list[tuple[str, int, int]]:
        table = schema.outbox
        query = sa.select(table.c.task_id, table.c.generation, table.c.attempt)
        rows = await self.ledger.read(lambda connection: connection.execute(query).all())
        return [(row.task_id, row.generation, row.attempt) for row in rows]


@asynccontextmanager
async def a_world(folder: str | Path) -> AsyncIterator[World]:
    async with Ledger(f"sqlite:///{Path(folder) / 'ledger.sqlite3'}") as ledger:
        yield World(ledger)


@pytest.fixture
def world(ledger: Ledger) -> World:
    return World(ledger)


async def test_each_attempt_of_a_follow_up_task_stays_its_parents_and_bound_to_it(
    world: World,
) -> None:
    follow_up: dict[str, Any] = {"parent_id": "parent", "cancel_with_parent": 3, "max_attempts": 2}
    await world.fold(submitted(not_before=START, **follow_up))
    await world.look()
    await world.fold(started(), failed())
    world.now += PAUSE
    await world.look()
    await world.fold(started(attempt=2), failed(attempt=2))
    await world.fold(submitted(generation=2, not_before=world.now, **follow_up))
    await world.look()
    assert [
        (one.generation, one.attempt, one.parent_id, one.cancel_with_parent) for one in world.queue
    ] == [(1, 1, "parent", 3), (1, 2, "parent", 3), (2, 1, "parent", 3)]


async def test_a_retry_is_published_when_it_is_due_and_not_before(world: World) -> None:
    await world.fold(submitted(), started(), progressed(0.4), failed())
    assert await world.look() == POLL
    assert world.queue == []

    world.now += PAUSE
    assert await world.look() == timedelta()

    (again,) = world.queue
    assert (again.attempt, again.generation, again.not_before) == (2, 1, None)
    assert again.task_data == {"task_type": "no-op", "nothing": None}
    assert again.previous_progress["fraction"] == 0.4
    assert again.task_token == task_token(SECRET, "t", 1, 2)
    assert world.sources == [(again.source, False)]
    assert await world.outbox() == []
    assert await world.look() == POLL
    assert world.attempts() == [("t", 2)]


async def test_a_task_that_was_rejected_too_early_goes_round_again_until_its_deadline(
    world: World,
) -> None:
    limited: dict[str, Any] = {"max_attempts": 1, "expires_at": at(60)}
    await world.fold(submitted(**limited), dead_lettered("rejected", **limited))
    for attempt in (2, 3):
        world.now += timedelta(minutes=1)
        await world.look()
        (again,) = world.queue
        world.queue.clear()
        assert (again.attempt, again.max_attempts) == (attempt, attempt)
        await world.fold(dead_lettered("rejected", attempt=attempt, **limited))
    await world.fold(expired())
    assert await world.outbox() == []


async def test_a_retry_carries_the_trace_context_of_the_submission(world: World) -> None:
    await world.fold(submitted(traceparent="00-trace"), started(), failed())
    world.now += PAUSE
    await world.look()
    (again,) = world.queue
    assert again.traceparent == "00-trace"
    assert again.to_message().headers == {"traceparent": "00-trace"}


async def test_a_hundred_thousand_scheduled_tasks_are_not_looked_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What asks for the next one, takes those that are due or cancels one reads an index."""
    far = micros(at(86_400))
    row = {"generation": 1, "attempt": 1, "due_at": far, "claimed_until": 0}
    rows = [row | {"task_id": f"later-{n}"} for n in range(100_000)]
    plans: list[str] = []

    def explained(connection: sa.Connection, *event: Any) -> None:
        statement, parameters = event[1:3]
        cursor = connection.connection.cursor()
        cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
        plans.extend(str(line[3]) for line in cursor.fetchall() if "outbox" in str(line[3]))

    async with a_world(tmp_path) as world:
        await world.ledger.write(lambda found: found.execute(schema.outbox.insert(), rows))
        await world.fold(submitted("now", not_before=START))

        def watched(work: Callable[[sa.Connection], Any]) -> Callable[[sa.Connection], Any]:
            def run(connection: sa.Connection) -> Any:
                sa.event.listen(connection, "before_cursor_execute", explained)
                try:
                    return work(connection)
                finally:
                    sa.event.remove(connection, "before_cursor_execute", explained)

            return run

        read, write = world.ledger.read, world.ledger.write
        monkeypatch.setattr(world.ledger, "read", lambda work: read(watched(work)))
        monkeypatch.setattr(world.ledger, "write", lambda work: write(watched(work)))
        await world.look()
        await world.rows.withdraw("later-5", 1)
        assert world.attempts() == [("now", 1)]
        assert len(plans) >= 3
        assert all("SEARCH" in plan or "USING INDEX" in plan for plan in plans), plans
        count = sa.select(sa.func.count()).select_from(schema.outbox)
        assert await read(lambda found: found.execute(count).scalar()) == 99_999


async def test_what_is_due_soon_is_waited_for_exactly(world: World) -> None:
    await world.fail()
    world.now += PAUSE - timedelta(milliseconds=200)
    assert await world.look() == timedelta(milliseconds=200)


@pytest.mark.parametrize("end", [cancelled(), completed(attempt=1), submitted(attempt=2)])
async def test_what_has_ended_or_is_on_its_queue_is_not_published(world: World, end: Event) -> None:
    """Even where its row is still there: another process folded the end after the lease."""
    await world.fail()
    rows = await world.ledger.read(
        lambda connection: [
            dict(row) for row in connection.execute(sa.select(schema.outbox)).mappings()
        ]
    )
    await world.fold(end)
    await world.ledger.write(lambda connection: connection.execute(schema.outbox.insert(), rows))
    world.now += PAUSE
    await world.look()
    assert world.queue == []
    assert await world.outbox() == []


async def test_a_scheduled_task_is_put_on_its_queue_when_its_time_has_come(world: World) -> None:
    await world.fold(submitted(not_before=at(60)))
    world.now = at(60)
    await world.look()
    (task,) = world.queue
    assert (task.message_id, task.not_before) == ("t.1.1", None)
    await world.fold()
    assert (await state(world)).state == "queued"


@pytest.mark.parametrize("kind", ["retry", "scheduled", "redriven", "given back"])
async def test_what_is_larger_than_the_broker_takes_by_now_ends_and_says_so(
    world: World, kind: str
) -> None:
    large: dict[str, Any] = {"task_data": {"text": "x" * 1000}, "max_attempts": 3}
    events = {
        "retry": [submitted(**large), started(), failed()],
        "scheduled": [submitted(not_before=START, **large)],
        "redriven": [submitted(**large), cancelled(), submitted("t", 2, not_before=START, **large)],
        "given back": [submitted(**large), declined()],
    }
    await world.fold(*events[kind], submitted("small", not_before=START))
    world.limit = 1000
    world.now += PAUSE
    await world.look()
    assert world.attempts() == [("small", 1)]
    await world.fold()
    task = await state(world)
    assert task.state == "dead"
    assert task.error is not None
    assert task.error["type"] == "MessageTooLarge"
    assert "and the broker takes 1000 at most" in task.error["message"]
    assert "raise max_message_size" in task.error["message"]
    assert not task.error["retryable"]
    assert task.failures == (1 if kind == "retry" else 0)
    assert [event.data.subject for event in world.noted] == ["t"]
    assert await world.outbox() == []
    world.limit = None
    await world.fold(submitted("t", task.generation + 1, not_before=START, **large))
    await world.look()
    assert world.attempts() == [("small", 1), ("t", 1)]


async def test_the_end_of_what_is_too_large_is_told_until_it_is_confirmed_and_counts_once(
    world: World,
) -> None:
    await world.fold(submitted(not_before=START, task_data={"text": "x" * 1000}))
    world.limit = 1000
    world.faults = ["refused"]
    await world.look()
    assert (world.noted, world.log) == ([], [])
    for _ in range(2):
        world.now += UNANSWERED
        await world.look()
    assert [event.id for event in world.log] == ["t.1.1.too-large"]
    await world.fold()
    assert (await state(world)).state == "dead"


async def test_what_is_too_large_for_its_progress_alone_goes_without_it(world: World) -> None:
    told = progressed(0.4, message="x" * 1000)
    await world.fold(submitted(), started(), told, failed())
    world.limit = 1000
    world.now += PAUSE
    await world.look()
    (again,) = world.queue
    assert (again.attempt, again.previous_progress) == (2, None)


async def test_what_the_broker_refused_is_due_again_at_once(world: World) -> None:
    await world.fail()
    world.now += PAUSE
    world.faults = ["refused"]
    assert await world.look() == POLL
    assert await world.look() == timedelta()
    assert world.attempts() == [("t", 2)]


@pytest.mark.parametrize(("fault", "pause"), [("lost", UNANSWERED), ("killed", LEASE)])
async def test_what_was_not_answered_is_published_again_after_a_while(
    world: World, fault: str, pause: timedelta
) -> None:
    await world.fail()
    world.now += PAUSE
    world.faults = [fault]
    await world.look()
    await world.look()
    world.now += pause - timedelta(seconds=1)
    await world.look()
    assert world.queue == []
    world.now += timedelta(seconds=2)
    await world.look()
    assert world.attempts() == [("t", 2)]


async def test_a_lease_lasts_for_as_long_as_its_publisher_lives(world: World) -> None:
    world.renewed_every = timedelta(milliseconds=5)
    await world.fail()
    world.now += PAUSE
    world.answers.clear()
    publishing = asyncio.create_task(world.loop()._look())
    await eventually(lambda: world.in_flight)
    for _ in range(3):
        world.now += LEASE - timedelta(seconds=1)
        world.renewed = 0
        await eventually(lambda: world.renewed > 1)
        assert await world.rows.lease() == []
    world.answers.set()
    assert await publishing == timedelta()
    assert world.attempts() == [("t", 2)]


async def test_a_kill_between_confirm_and_mark_publishes_nothing_twice(world: World) -> None:
    await world.fail()
    world.now += PAUSE
    world.killed_before_mark = True
    await world.look()
    assert await world.outbox() == [("t", 1, 2)]
    await world.fold()
    world.now += LEASE + timedelta(seconds=1)
    await world.look()
    assert world.attempts() == [("t", 2)]
    assert await world.outbox() == []


@pytest.mark.parametrize(("fault", "pause"), [("unconfirmed", UNANSWERED), ("killed", LEASE)])
async def test_what_may_have_been_published_waits_until_the_log_is_known(
    world: World, fault: str, pause: timedelta
) -> None:
    later = world.now + PAUSE + pause
    await world.fold(submitted("other", not_before=later))
    await world.fail()
    world.now += PAUSE
    if fault == "killed":
        world.killed_before_mark = True
    else:
        world.faults = [fault]
    await world.look()
    world.now = later + timedelta(seconds=1)
    world.behind = True
    assert await world.look() == timedelta()
    assert world.attempts() == [("t", 2), ("other", 1)], "what is not in doubt is held up"
    assert await world.look() == POLL
    world.behind = False
    await world.look()
    assert world.attempts().count(("t", 2)) == 1


async def test_two_coordinators_share_what_is_due(world: World) -> None:
    await world.fold(*(submitted(f"t{n}", not_before=at(1)) for n in range(BATCH + 50)))
    world.now = at(1)
    await asyncio.gather(world.look(), world.look())
    await asyncio.gather(world.look(), world.look())
    assert sorted(world.attempts()) == sorted((f"t{n}", 1) for n in range(BATCH + 50))
    assert world.most_in_flight > BATCH / 2


async def test_no_row_is_leased_by_two(world: World, ledger_url: str) -> None:
    count = 5 * BATCH
    await world.fold(*(submitted(f"t{n}", not_before=at(1)) for n in range(count)))
    world.now = at(1)
    async with Ledger(ledger_url) as other:
        theirs = OutboxRows(other, now=lambda: world.now)
        leases = [rows.lease() for _ in range(10) for rows in (world.rows, theirs)]
        leased = [task.task_id for batch in await asyncio.gather(*leases) for task in batch]
    assert len(leased) == len(set(leased)) == count


DECLINED_AGAIN = {
    "folded with what was published": True,
    "folded after it": False,
}


@pytest.mark.parametrize("together", DECLINED_AGAIN.values(), ids=DECLINED_AGAIN)
async def test_a_task_that_is_given_back_again_before_its_publish_is_marked_is_published_again(
    world: World, together: bool
) -> None:
    """As where the broker delivers a message again whose acknowledgement it lost."""
    await world.fold(submitted(), declined())
    world.now += timedelta(minutes=1)
    marked = world.rows.done

    async def folded_first(published: Sequence[TaskMessage]) -> None:
        if not together:
            await world.fold()
        world.log.append(declined())
        await world.fold()
        await marked(published)

    world.done = folded_first  # type: ignore[method-assign]
    await world.look()
    assert [task.republished for task in world.queue] == [1]
    assert (await state(world)).state == "waiting"
    world.done = marked  # type: ignore[method-assign]
    world.now += timedelta(minutes=1)
    await world.look()
    assert [task.republished for task in world.queue] == [1, 2]
    await world.fold()
    assert (await state(world)).state == "queued"
    assert await world.outbox() == []


@pytest.mark.parametrize("verb", ["done", "renew", "give_back", "put_off"])
async def test_who_has_lost_a_lease_has_no_say_in_the_row(
    world: World, ledger_url: str, verb: str
) -> None:
    await world.fold(submitted(not_before=START))
    lost = await world.rows.lease()
    world.now += LEASE + timedelta(seconds=1)
    async with Ledger(ledger_url) as other:
        theirs = OutboxRows(other, now=lambda: world.now)
        (leased,) = await theirs.lease()
        await getattr(world.rows, verb)(lost)
        assert await world.outbox() == [("t", 1, 1)]
        assert await world.rows.next_due() is None  # theirs still
        world.now += LEASE + timedelta(seconds=1)
        assert await world.rows.next_due() == START  # and not for longer than they said
        await theirs.done([leased])
        assert await world.outbox() == []


async def test_a_clock_set_back_loses_no_lease(world: World) -> None:
    await world.fold(submitted(not_before=at(-7200)))
    world.faults = ["killed"]
    await world.look()
    world.now -= timedelta(hours=1)
    await world.look()
    assert world.attempts() == [("t", 1)]


async def test_while_the_broker_is_away_nothing_is_claimed(world: World) -> None:
    await world.fold(submitted(not_before=START))
    world.ready = False
    assert await world.look() == POLL
    world.ready = True
    await world.look()
    assert world.attempts() == [("t", 1)]


async def test_a_lane_past_the_limit_is_opened_for_what_was_accepted(world: World) -> None:
    await world.fold(submitted(not_before=START))
    world.too_many_lanes = True
    await world.look()
    assert [again for _, again in world.sources] == [False, True]
    assert world.attempts() == [("t", 1)]


async def test_one_that_cannot_be_published_holds_up_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.fold(submitted("a", not_before=START), submitted("b", not_before=START))
    ensure = world.ensure
    broken = ["a"]

    async def fails_once(source: TaskQueue, wanted: Requirements, *, again: bool = False) -> None:
        if broken:
            broken.clear()
            raise RuntimeError("a bug")
        await ensure(source, wanted, again=again)

    monkeypatch.setattr(world, "ensure", fails_once)
    await world.look()
    assert len(world.queue) == 1
    world.now += UNANSWERED + timedelta(seconds=1)
    await world.look()
    assert sorted(world.attempts()) == [("a", 1), ("b", 1)]


async def test_a_ledger_that_is_away_is_told_of_and_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away() -> None:
        raise LedgerUnavailable

    loop = world.loop()
    with monkeypatch.context() as patch:
        patch.setattr(world, "next_due", away)
        assert await loop._look() == POLL
        assert loop.problem
    await loop._look()
    assert loop.problem is None


async def test_a_nudge_is_looked_at_at_once_and_stopping_sees_the_batch_through(
    world: World,
) -> None:
    loop = world.loop()
    running = asyncio.create_task(loop.run())
    try:
        await world.fold(submitted(not_before=START))
        loop.nudge(START)
        await eventually(lambda: world.queue, timeout=POLL.total_seconds())
    finally:
        running.cancel()
        await asyncio.wait([running])
    assert await world.outbox() == []


async def state(world: World, task_id: str = "t") -> Task:
    query = sa.select(schema.tasks).where(schema.tasks.c.task_id == task_id)
    return task_of(await world.ledger.read(lambda connection: connection.execute(query).one()))


steps = st.sampled_from(
    ["look", "fold", "wait", "long wait", "fault: refused", "fault: lost", "fault: unconfirmed",
     "fault: killed", "fault: given back", "killed before mark"]
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.lists(steps, max_size=25))
@example(["fault: given back", "wait", "look"])
def test_whatever_breaks_no_attempt_is_lost_and_none_counts_twice(history: list[str]) -> None:
    """Every attempt fails until they are spent; faults fall between any two steps."""

    async def test(world: World) -> None:
        await world.fail()
        for step in history:
            await take(world, step)
            await fail_what_runs(world)
        world.faults, world.killed_before_mark = [], False
        while (task := await state(world)).state != "dead":
            for step in ("long wait", "look", "fold"):
                await take(world, step)
            await fail_what_runs(world)
        assert (task.failed, task.failures, task.starts) == (MAX_ATTEMPTS,) * 3
        assert {attempt for _, attempt in world.attempts()} == set(range(2, MAX_ATTEMPTS + 1))
        await take(world, "long wait")
        await world.look()
        assert await world.outbox() == []

    async def in_a_folder() -> None:
        with tempfile.TemporaryDirectory(dir=QUICK) as folder:
            async with a_world(folder) as world:
                await test(world)

    asyncio.run(in_a_folder())


async def take(world: World, step: str) -> None:
    if step == "look":
        await world.look()
    elif step == "fold":
        await world.fold()
    elif step == "wait":
        world.now += PAUSE
    elif step == "long wait":
        world.now += UNANSWERED + PAUSE
    elif step == "killed before mark":
        world.killed_before_mark = True
    else:
        world.faults.append(step.removeprefix("fault: "))


async def fail_what_runs(world: World) -> None:
    """An agent takes each message that is on the queue, and fails; twice where it is there twice."""
    for task in world.queue[world.taken :]:
        await world.fail(attempt=task.attempt)
    world.taken = len(world.queue)
