"""The ledger as `coordinator doctor` reads it: what lies in it, and nothing changed by looking."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.cron.ticks import Missed
from coordinator.protocol.message import Message
from coordinator.protocol.messages.events import Event, SourceOpened
from coordinator.protocol.priority import Priority
from coordinator.protocol.task_queue import TaskQueue
from coordinator.registry.agents.agent_snapshots import AgentSnapshots
from coordinator.registry.ledger.database_engines import look_only
from coordinator.registry.ledger.database_timeouts import DatabaseTimeouts
from coordinator.registry.ledger.inspection_results import (
    FailingSchedules,
    ParkingSummary,
    WrongClock,
)
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.ledger.ledger_inspection import examine
from coordinator.registry.ledger.parked_messages import MessageToPark, park
from coordinator.registry.stores.recurring_schedule import RecurringSchedule
from coordinator.registry.stores.schedules import Schedules
from coordinator.registry.tables import schema
from coordinator.registry.tables.schema import micros
from coordinator.registry.tables.task_queue_rows import fold_task_queues
from tests.support.postgres import PostgresServer
from tests.unit.domain.histories import START, submitted
from tests.unit.registry.answers import execute, stored
from tests.unit.registry.fleet import Fleet, beat, registered

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def file_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def due(task_id: str, ago: timedelta, *, claimed: timedelta = timedelta(0)) -> dict[str, object]:
    return {
        "task_id": task_id,
        "generation": 1,
        "attempt": 2,
        "due_at": micros(NOW - ago),
        "claimed_until": micros(NOW + claimed),
    }


def fill(connection: Connection) -> None:
    for number, reason in enumerate(("MalformedMessage: first", "WrongToken: second")):
        body = str(number).encode()
        park(
            connection,
            [
                MessageToPark(
                    message=Message(body=body),
                    exchange="",
                    routing_key="k",
                    reason=reason,
                    received_at=NOW + timedelta(seconds=number),
                )
            ],
        )
    opened = SourceOpened(lane="any", priority=Priority.LOW, requirements={})
    fold_task_queues(connection, [Event(data=opened)])
    connection.execute(
        sa.insert(schema.outbox),
        [
            due("now", timedelta(seconds=5)),
            due("in hand", timedelta(hours=2), claimed=timedelta(minutes=1)),
            due("late", timedelta(minutes=5), claimed=-timedelta(minutes=1)),
            due("later", timedelta(minutes=9), claimed=-timedelta(minutes=1)),
            due("to come", -timedelta(hours=1)),
        ],
    )


async def test_what_lies_in_it_is_counted(ledger: Ledger, ledger_url: str) -> None:
    await stored(ledger, submitted())
    await ledger.write(fill)

    found = examine(ledger_url, NOW)

    if found.is_file:
        assert found.location == str(file_of(ledger_url))
    else:
        assert found.location.startswith("postgresql://coordinator:***@127.0.0.1:")
    state = found.state
    assert state is not None
    assert state.schema_version == schema.SCHEMA_VERSION
    assert state.parking == ParkingSummary(
        count=2, latest="WrongToken: second", latest_at=NOW + timedelta(seconds=1)
    )
    assert (state.overdue, state.overdue_for) == (2, timedelta(minutes=9))
    assert state.task_queues == (TaskQueue("any", Priority.LOW),)
    assert state.folded_until is not None
    assert state.size > 10_000
    assert (state.free is not None) == found.is_file


async def test_wrong_clocks_are_told_of_agents_that_were_heard_lately(
    ledger: Ledger, ledger_url: str
) -> None:
    fleet = Fleet()
    await stored(ledger, *map(registered, ("ada", "bob", "cid", "dan", "eve")))
    for agent_id, ahead in (("dan", 60), ("ada", -5), ("bob", 20), ("cid", 1.5)):
        fleet.apply(registered(agent_id))
        for sequence in (1, 2, 3):
            fleet.apply(beat(agent_id, instance="a", sequence=sequence, seconds=ahead))
        if agent_id == "dan":
            fleet.pass_time(90)
            fleet.clock.wall = START
    await AgentSnapshots(ledger=ledger, agents=fleet).write()

    state = examine(ledger_url, NOW).state

    assert state is not None
    assert state.wrong_clocks == (
        WrongClock(agent_id="bob", ahead=timedelta(seconds=20)),
        WrongClock(agent_id="ada", ahead=timedelta(seconds=-5)),
    )


async def test_what_cannot_be_read_and_schedules_that_cannot_run_are_counted(
    ledger: Ledger, ledger_url: str
) -> None:
    def spoil(connection: Connection) -> None:
        fill(connection)
        connection.execute(schema.sources.update().values(requirements="{"))

    await ledger.write(spoil)
    made = Schedules(ledger)
    for name in ("a", "b", "c"):
        schedule = RecurringSchedule(
            schedule_id=name,
            cron="* * * * *",
            timezone="UTC",
            missed=Missed.SKIP,
            task={"task_data": {}},
            created_at=NOW,
            next_at=None,
        )
        schedule = await made.create(schedule)
        if name != "a":
            await made.set_aside(schedule, f"No more {name}.")
    state = examine(ledger_url, NOW).state
    assert state is not None
    assert (state.task_queues, state.unreadable_task_queues) == ((), 1)
    assert state.failing == FailingSchedules(count=2, first="b", why="No more b.")


async def test_a_version_that_is_none_is_told(ledger: Ledger, ledger_url: str) -> None:
    name = schema.meta.c.name == "schema_version"
    spoil = schema.meta.update().where(name).values(value="two")
    await ledger.write(partial(execute, spoil))
    assert examine(ledger_url, NOW).trouble == "its version is 'two', which is none"


async def test_it_may_be_read_while_another_writes(ledger: Ledger, ledger_url: str) -> None:
    def write(connection: Connection) -> None:
        connection.execute(sa.delete(schema.totals))
        assert examine(ledger_url, NOW).state is not None

    await ledger.write(write)


def test_looking_for_it_makes_nothing(ledger_url: str, tmp_path: Path) -> None:
    found = examine(ledger_url, NOW)
    assert (found.state, found.trouble) == (None, None)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_is_no_ledger_yet(tmp_path: Path) -> None:
    file = tmp_path / "empty"
    file.touch()
    found = examine(f"sqlite:///{file}", NOW)
    assert (found.state, found.trouble) == (None, None)
    assert file.stat().st_size == 0


async def test_one_of_another_version_is_left_alone(ledger: Ledger, ledger_url: str) -> None:
    def older(connection: Connection) -> None:
        connection.execute(
            sa.update(schema.meta).where(schema.meta.c.name == "schema_version").values(value="0")
        )
        schema.outbox.drop(connection)

    await ledger.write(older)
    state = examine(ledger_url, NOW).state
    assert state is not None
    assert (state.schema_version, state.task_queues) == (0, None)
    assert not (await ledger.read(lambda one: sa.inspect(one).has_table("outbox")))


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("nonsense", "COORDINATOR_DATABASE_URL is not a database's address, such as"),
        ("mysql://user:hunter2@127.0.0.1:1/x", "The ledger cannot be in 'mysql'"),
        ("postgresql://user:hunter2@127.0.0.1:1/x", "Connection refused"),
        ("postgres+asyncpg://user:hunter2@127.0.0.1:1/x", "Connection refused"),
    ],
)
def test_a_database_that_cannot_be_reached_is_told_in_a_line(url: str, sentence: str) -> None:
    found = examine(url, NOW)
    assert found.trouble is not None
    assert sentence in found.trouble
    assert "\n" not in found.trouble
    assert "hunter2" not in f"{found.location} {found.trouble}"


def test_what_a_server_says_is_told_in_a_line(postgres: PostgresServer) -> None:
    for url, sentence in (
        (postgres.url("postgres", password="wrong"), "password authentication failed"),
        (postgres.url("nowhere"), 'database "nowhere" does not exist'),
    ):
        found = examine(url, NOW)
        assert found.trouble is not None
        assert sentence in found.trouble
        assert "\n" not in found.trouble
        assert (found.state, found.is_file) == (None, False)


async def test_a_server_that_is_stopped_is_told_and_read_again_when_it_is_back(
    own_postgres: PostgresServer,
) -> None:
    url = own_postgres.url("postgres")
    async with Ledger(url):
        pass
    await asyncio.to_thread(own_postgres.stop)
    trouble = examine(url, NOW).trouble
    assert trouble is not None
    assert "Connection refused" in trouble
    await asyncio.to_thread(own_postgres.start)
    assert examine(url, NOW).state is not None


def test_a_server_that_does_not_answer_is_not_waited_for_longer_than_by_the_ledger() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://ada@127.0.0.1:{silent.getsockname()[1]}/x"
        found = examine(url, NOW, DatabaseTimeouts(connect=2))
    assert found.trouble is not None
    assert "timeout" in found.trouble


def test_looking_writes_nothing_even_by_mistake(postgres_url: str) -> None:
    engine = look_only(postgres_url)
    with engine.connect() as connection, pytest.raises(sa.exc.InternalError, match="read-only"):
        schema.metadata.create_all(connection)
    engine.dispose()


def test_a_damaged_file_is_told_in_a_line(tmp_path: Path) -> None:
    file = tmp_path / "damaged"
    file.write_bytes(b"no database at all" * 100)
    assert examine(f"sqlite:///{file}", NOW).trouble == "file is not a database"
