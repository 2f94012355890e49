"""Whichever value of whichever row is wrong, whoever reads at the start or in a loop goes on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from coordinator.domain.callbacks.callback_delivery import DeliveryState
from coordinator.domain.callbacks.delivery_outcome import Verdict
from coordinator.domain.cron.ticks import Missed
from coordinator.domain.dead_filter import DeadFilter
from coordinator.errors import OperatorError
from coordinator.protocol.messages.events import Event, SourceOpened
from coordinator.protocol.messages.task_message import Callback
from coordinator.protocol.priority import Priority
from coordinator.protocol.task_queue import TaskQueue
from coordinator.recovery.schedule_runner import ScheduleRunner
from coordinator.registry.agents.agent_snapshots import AgentSnapshots
from coordinator.registry.feed.callback_leases import CallbackLeases, LeaseLimits, TriedCallback
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.ledger.ledger_inspection import examine
from coordinator.registry.ledger.undeliverable_queues import PREFIX, stuck_queues
from coordinator.registry.queries.dead_tasks import DeadTasks
from coordinator.registry.queries.parked_pages import parked_page
from coordinator.registry.queries.queue_statistics import oldest_waiting
from coordinator.registry.queries.task_filter import TaskFilter
from coordinator.registry.queries.task_pages import page_of
from coordinator.registry.queries.task_timeline import timeline_of
from coordinator.registry.stores.callback_deliveries import CallbackDeliveries, CallbackFilter
from coordinator.registry.stores.idempotency_keys import IdempotencyKeys
from coordinator.registry.stores.outbox_rows import OutboxRows
from coordinator.registry.stores.recurring_schedule import RecurringSchedule
from coordinator.registry.stores.schedules import Schedules
from coordinator.registry.tables import schema
from coordinator.registry.upkeep.former_broker_tasks import FormerBrokerTasks
from coordinator.registry.upkeep.idle_task_queues import IdleTaskQueues
from coordinator.registry.upkeep.missing_tasks import MissingTasks
from coordinator.registry.upkeep.overdue_tasks import OverdueTasks
from coordinator.registry.upkeep.retention import Retention
from coordinator.registry.upkeep.running_tasks import RunningTasks
from coordinator.registry.upkeep.tasks_in_untyped_lanes import TasksInUntypedLanes
from tests.unit.domain.histories import at, failed, started, submitted
from tests.unit.registry.answers import execute, stored, totals
from tests.unit.registry.fleet import Fleet, beat, registered

NOW = at(3600)

HUGE = 2**62
"""Microseconds: no instant is so far away."""

NUMBERS = (HUGE, -HUGE)
TEXTS = ("{", "7", "[7]", "")

Rows = dict[sa.Table, list[dict[str, Any]]]

TABLES = (
    schema.meta,
    schema.events,
    schema.tasks,
    schema.agents,
    schema.sources,
    schema.outbox,
    schema.parked,
    schema.totals,
    schema.schedules,
    schema.callbacks,
)


async def submit(body: dict[str, Any], *, by: str | None, repeated: bool) -> None:
    """As if it was accepted."""
    assert body


class Readers:
    """All who look at many rows."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.schedules = Schedules(ledger, now=lambda: NOW)
        self.ticks = ScheduleRunner(
            schedules=self.schedules, submit=submit, ready=lambda: True, now=lambda: NOW
        )

    def all(self) -> dict[str, Callable[[], Awaitable[None]]]:
        return {
            "start": self._start,
            "tasks": self._tasks,
            "outbox": self._outbox,
            "schedules": self._schedules,
            "callbacks": self._callbacks,
            "pages": self._pages,
            "retention": self._retention,
        }

    async def _start(self) -> None:
        await self.ledger.task_queues()
        await self.ledger.announced_types()
        fleet = Fleet()
        snapshots = AgentSnapshots(ledger=self.ledger, agents=fleet)
        await snapshots.restore()
        fleet.pass_time(2)
        fleet.find()
        await snapshots.settle()
        await snapshots.write()

    async def _tasks(self) -> None:
        await OverdueTasks(self.ledger).since(at(9000), most=9)
        overtaken = MissingTasks(self.ledger)
        found = await overtaken.look()
        await overtaken.messages([one.task for one in found])
        running = RunningTasks(self.ledger)
        tasks = await running.look()
        await running.passed(tasks)
        await running.messages(tasks)
        idle = IdleTaskQueues(self.ledger)
        await idle.stored()
        await idle.unused(NOW)
        await idle.homeless()
        await TasksInUntypedLanes(self.ledger).sources(
            [TaskQueue("any", Priority.NORMAL)], {"train"}
        )
        left = FormerBrokerTasks(self.ledger)
        if await left.any_broker():
            last = None
            while found_left := await left.after(last):
                last = found_left[-1].task
        await IdempotencyKeys(self.ledger, kept=timedelta(days=1), now=lambda: NOW).prune()

    async def _outbox(self) -> None:
        rows = OutboxRows(self.ledger, now=lambda: NOW)
        await rows.next_due()
        await rows.any_in_doubt()
        leased = await rows.lease()
        for task in leased:
            task.to_message()
        await rows.give_back(leased)

    async def _callbacks(self) -> None:
        await CallbackDeliveries(self.ledger).page(CallbackFilter(), after=None, limit=9)
        leases = CallbackLeases(self.ledger, lasting=timedelta(seconds=30))
        await leases.next_due(NOW)
        leased = await leases.exchange([], LeaseLimits(most=9, each=9, held={}), now=NOW)
        verdict = Verdict(state=DeliveryState.PENDING, due_at=NOW, status=500, error="no")
        tried = [TriedCallback(leased=one, tried_at=NOW, verdict=verdict) for one in leased]
        await leases.exchange(tried, LeaseLimits(most=0, each=0, held={}), now=NOW)

    async def _schedules(self) -> None:
        await self.ticks.take_up()
        await self.ticks.look()
        await self.schedules.page("", 9)

    async def _pages(self) -> None:
        read = self.ledger.read
        await totals(self.ledger)
        await read(oldest_waiting)
        await read(stuck_queues)
        await read(partial(page_of, wanted=TaskFilter(), after=None, limit=9))
        await read(partial(parked_page, after=None, limit=9))
        await read(partial(timeline_of, task_id="dead", after=None, limit=9))
        await DeadTasks(self.ledger).page(DeadFilter(), limit=9, cursor=None)

    async def _retention(self) -> None:
        """Last, since nothing that has ended is left."""
        later = NOW + timedelta(days=400)
        await Retention(ledger=self.ledger, pause=timedelta(), now=lambda: later).prune()


async def fill(ledger: Ledger) -> None:
    """A row of each kind, and of most kinds more than one."""
    await ledger.secret()
    for name in ("queued", "other", "running", "waits"):
        await stored(ledger, submitted(name, max_attempts=3))
    callback = Callback(url="https://receiver.example/", events=("started", "ended"))
    await stored(ledger, submitted("dead", max_attempts=1, callback=callback))
    for name in ("running", "waits", "dead"):
        await stored(ledger, started(task_id=name))
    await stored(ledger, failed(task_id="waits"), failed(task_id="dead"))
    opened = SourceOpened(lane="any", priority=Priority.NORMAL, requirements={})
    await stored(ledger, Event(data=opened))
    await stored(ledger, registered("ada"), registered("bob"))
    await FormerBrokerTasks(ledger).give_up_broker()
    meta = schema.meta.insert().values(name=f"{PREFIX}q", value="1")
    await ledger.write(partial(execute, meta))
    parked = {"digest": "d", "received_at": 0, "reason": "why", "exchange": "", "body": b""}
    insert = schema.parked.insert().values(parked | {"routing_key": "", "properties": "{}"})
    await ledger.write(partial(execute, insert))
    fleet = Fleet()
    for name in ("ada", "bob"):
        fleet.apply(registered(name))
        fleet.apply(beat(name, load_metrics={"cpu": 0.5}))
    await AgentSnapshots(ledger=ledger, agents=fleet).write()
    created = Schedules(ledger, now=lambda: at(0))
    for name in ("a", "b"):
        await created.create(
            RecurringSchedule(
                schedule_id=name,
                cron="* * * * *",
                timezone="UTC",
                missed=Missed.ALL,
                task={"task_data": {}},
                created_at=at(0),
                next_at=None,
            )
        )


def wrong_values(column: sa.Column[Any], ledger_url: str) -> list[Any]:
    number = issubclass(column.type.python_type, int)
    given: list[Any] = list(NUMBERS if number else TEXTS)
    if number and ledger_url.startswith("sqlite"):
        given.append("soon")
    elif number and not isinstance(column.type, sa.BigInteger):
        given = [2**31 - 1, -(2**31)]
    if isinstance(column.type, sa.LargeBinary) or column.unique:
        return []  # of any bytes, and of a digest, nothing is read
    if ledger_url.startswith("sqlite"):
        given.append(b"\xff")  # it takes any value in any column
    return [*given, None] if column.nullable else given


@pytest.mark.parametrize("table", TABLES, ids=lambda table: str(table.name))
async def test_a_wrong_value_ends_nobody_who_reads_many_rows(
    ledger: Ledger, ledger_url: str, table: sa.Table
) -> None:
    await fill(ledger)
    before = await ledger.read(whole)
    readers = Readers(ledger).all()
    wrong: list[str] = []
    for column in table.columns:
        for value in wrong_values(column, ledger_url):
            await ledger.write(partial(restore, before))
            row = before[table][0] if column.primary_key else None
            try:
                await ledger.write(partial(spoil, table, row, column, value))
            except IntegrityError:
                continue  # the database refuses it
            for name, read in readers.items():
                try:
                    await read()
                except OperatorError:
                    continue  # told, and waited for
                except Exception as exc:  # noqa: BLE001 - all of them are told at the end
                    wrong.append(f"{column} = {value!r}, {name}: {exc!r}")
    assert wrong == []


async def test_an_attempt_due_before_all_instants_holds_up_no_other(ledger: Ledger) -> None:
    for name in "ab":
        await stored(ledger, submitted(name), started(task_id=name), failed(task_id=name))
    due = schema.outbox.update().where(schema.outbox.c.task_id == "a").values(due_at=-HUGE)
    await ledger.write(partial(execute, due))
    rows = OutboxRows(ledger, now=lambda: NOW)
    first = await rows.next_due()
    assert first is not None
    assert first < NOW
    assert [task.task_id for task in await rows.lease()] == ["a", "b"]


async def test_a_doctor_says_that_a_value_cannot_be_read(ledger: Ledger, ledger_url: str) -> None:
    await stored(ledger, submitted("a"))
    await ledger.write(partial(execute, schema.events.update().values(time=HUGE)))
    assert "a value in it cannot be read" in (examine(ledger_url, NOW).trouble or "")


def whole(connection: sa.Connection) -> Rows:
    return {
        table: [dict(row) for row in connection.execute(sa.select(table)).mappings()]
        for table in TABLES
    }


def restore(rows: Rows, connection: sa.Connection) -> None:
    for table, some in rows.items():
        connection.execute(table.delete())
        connection.execute(table.insert(), some)


def spoil(
    table: sa.Table,
    row: dict[str, Any] | None,
    column: sa.Column[Any],
    value: Any,
    connection: sa.Connection,
) -> None:
    """In this row, or in all. By words, since the column's type would refuse the value."""
    text, given = f"UPDATE {table.name} SET {column.name} = :wrong", {"wrong": value}
    if row is not None:
        key = [one.name for one in table.primary_key]
        text += " WHERE " + " AND ".join(f"{name} = :{name}" for name in key)
        given |= {name: row[name] for name in key}
    connection.execute(sa.text(text), given)
