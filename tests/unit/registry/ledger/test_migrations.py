"""Ledgers of older versions: opened by this one, they give the same answers."""

from __future__ import annotations

import asyncio
import hashlib
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.task import State
from coordinator.protocol.messages.events import AgentRegistered, Event, SourceOpened
from coordinator.protocol.messages.task_message import Callback
from coordinator.protocol.priority import Priority
from coordinator.registry.ledger import migrations
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.queries.parked_pages import parked_page, parked_whole
from coordinator.registry.tables import schema
from coordinator.registry.tables.labels.group_total_rows import group_counts
from coordinator.registry.tables.task_rows import load
from coordinator.registry.upkeep.stopped_follow_ups import StoppedFollowUps
from tests.unit.domain.histories import at, cancelled, completed, failed, started, submitted
from tests.unit.registry.answers import answers, stored, totals_agree

VERSION_1 = """
CREATE TABLE meta (name VARCHAR(64) PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE events (
    position {position}, id VARCHAR(200) NOT NULL, agent_id VARCHAR(128) NOT NULL,
    type VARCHAR(64) NOT NULL, subject VARCHAR(300) NOT NULL, time BIGINT NOT NULL,
    data TEXT NOT NULL, UNIQUE (id, agent_id)
);
CREATE INDEX events_by_subject ON events (subject, position);
CREATE TABLE tasks (
    task_id VARCHAR(128) PRIMARY KEY, state VARCHAR(16) NOT NULL, generation INTEGER NOT NULL,
    attempt INTEGER NOT NULL, published INTEGER NOT NULL, started INTEGER NOT NULL,
    failed INTEGER NOT NULL, runners TEXT, max_attempts INTEGER, priority VARCHAR(16),
    lane VARCHAR(300), submitted_at BIGINT, submission VARCHAR(200), agent_id VARCHAR(128),
    first_started_at BIGINT, started_at BIGINT, ended_at BIGINT, progress TEXT, error TEXT,
    outcome VARCHAR(200), starts INTEGER NOT NULL, failures INTEGER NOT NULL
);
CREATE TABLE agents (
    agent_id VARCHAR(128) PRIMARY KEY, registration TEXT NOT NULL, stated_at BIGINT NOT NULL,
    registered_at BIGINT NOT NULL, declared VARCHAR(16) NOT NULL, declared_at BIGINT NOT NULL,
    heartbeat TEXT, load_metrics TEXT, heard_at BIGINT NOT NULL, silence BIGINT NOT NULL
);
CREATE TABLE sources (
    lane VARCHAR(300), priority VARCHAR(16), requirements TEXT NOT NULL, opened_at BIGINT NOT NULL,
    PRIMARY KEY (lane, priority)
);
CREATE TABLE outbox (
    task_id VARCHAR(128), generation INTEGER, attempt INTEGER, due_at BIGINT NOT NULL,
    PRIMARY KEY (task_id, generation, attempt)
);
CREATE INDEX outbox_by_due ON outbox (due_at);
CREATE TABLE parked (
    position {position}, digest VARCHAR(64) NOT NULL UNIQUE, received_at BIGINT NOT NULL,
    reason TEXT NOT NULL, exchange VARCHAR(300) NOT NULL, routing_key VARCHAR(300) NOT NULL,
    properties TEXT NOT NULL, body {bytes} NOT NULL
);
CREATE TABLE totals (name VARCHAR(64) PRIMARY KEY, value BIGINT NOT NULL)
"""
"""As the first version made them."""

TYPES = {
    "sqlite": {"position": "INTEGER PRIMARY KEY AUTOINCREMENT", "bytes": "BLOB"},
    "postgresql": {"position": "BIGSERIAL PRIMARY KEY", "bytes": "BYTEA"},
}

HISTORY = [
    Event(time=at(0), data=AgentRegistered(agent_id="ada", agent_type="worker")),
    Event(time=at(0), data=SourceOpened(lane="any", priority=Priority.LOW, requirements={})),
    submitted("done", task_data={"task_type": "count"}),
    started(task_id="done"),
    completed(task_id="done"),
    submitted("waits", max_attempts=3),
    started(task_id="waits"),
    failed(task_id="waits"),
    submitted("queued"),
    submitted("cancelled"),
    cancelled(task_id="cancelled"),
    started(task_id="unknown"),
]


def back_to_version_1(connection: Connection) -> None:
    """The same rows in the tables of that time."""
    rows = {
        table.name: [dict(row) for row in connection.execute(sa.select(table)).mappings()]
        for table in schema.metadata.sorted_tables
    }
    schema.metadata.drop_all(connection)
    types = TYPES[connection.dialect.name]
    for statement in VERSION_1.format(**types).split(";"):
        connection.exec_driver_sql(statement)
    then = sa.MetaData()
    then.reflect(connection)
    for table in then.sorted_tables:
        names = [column.name for column in table.columns if column.name != "position"]
        old = [{name: row.get(name, 0) for name in names} for row in rows[table.name]]
        if old:
            connection.execute(table.insert(), old)
    version = then.tables["meta"].c.name == "schema_version"
    connection.execute(then.tables["meta"].update().where(version).values(value="1"))


async def version_1(url: str) -> dict[str, Any]:
    """Makes a ledger of version 1 and returns its answers as the newest version gives them."""
    async with Ledger(url) as ledger:
        await stored(ledger, *HISTORY)
        before = await answers(ledger)
        await ledger.write(back_to_version_1)
        return before


async def test_a_ledger_of_version_1_gives_the_same_answers(ledger_url: str) -> None:
    before = await version_1(ledger_url)
    assert len(before["tasks"]) == 5
    async with Ledger(ledger_url) as ledger:
        assert await answers(ledger) == before
        assert await totals_agree(ledger)
        due = await ledger.read(
            lambda connection: connection.execute(sa.select(schema.outbox)).mappings().all()
        )
        assert [(row["task_id"], row["attempt"], row["claimed_until"]) for row in due] == [
            ("waits", 2, 0)
        ]
        await stored(ledger, submitted("new"))
        assert await ledger.read(_tables_differ) == []


def back_to_version_9(connection: Connection) -> None:
    """Without parents."""
    connection.exec_driver_sql("DROP INDEX tasks_by_parent")
    connection.exec_driver_sql("DROP TABLE cancellations")
    for column in ("parent_id", "cancel_with_parent"):
        connection.exec_driver_sql(f"ALTER TABLE tasks DROP COLUMN {column}")
    version = schema.meta.c.name == "schema_version"
    connection.execute(schema.meta.update().where(version).values(value="9"))


async def test_a_ledger_of_version_9_learns_of_parents_and_folds_nothing_again(
    ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Ledger(ledger_url) as ledger:
        await stored(ledger, *HISTORY)
        before = await answers(ledger)
        await ledger.write(back_to_version_9)
    monkeypatch.setattr(migrations, "rebuild", lambda _: 1 / 0)
    async with Ledger(ledger_url) as ledger:
        assert await answers(ledger) == before
        assert await ledger.read(_tables_differ) == []
        await stored(ledger, submitted("new", parent_id="waits", cancel_with_parent=1))
        found = (await ledger.read(partial(load, task_ids=["new"])))["new"]
        assert (found.parent_id, found.cancel_with_parent) == ("waits", 1)
        await stored(ledger, cancelled(task_id="waits"))
        ordered = await StoppedFollowUps(ledger).since(at(100), most=9)
        assert [task.task_id for task in ordered] == ["new"]


def back_to_version_8(connection: Connection) -> None:
    """Without questions."""
    back_to_version_9(connection)
    connection.exec_driver_sql("DROP INDEX tasks_by_answer")
    for column in ("released", "question", "answer_by", "answers"):
        connection.exec_driver_sql(f"ALTER TABLE tasks DROP COLUMN {column}")
    version = schema.meta.c.name == "schema_version"
    connection.execute(schema.meta.update().where(version).values(value="8"))


async def test_a_ledger_of_version_8_learns_of_questions_and_folds_nothing_again(
    ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Ledger(ledger_url) as ledger:
        await stored(ledger, *HISTORY)
        before = await answers(ledger)
        await ledger.write(back_to_version_8)
    monkeypatch.setattr(migrations, "rebuild", lambda _: 1 / 0)
    async with Ledger(ledger_url) as ledger:
        assert await answers(ledger) == before
        assert await ledger.read(_tables_differ) == []


def back_to_version_7(connection: Connection) -> None:
    """Without callbacks."""
    back_to_version_8(connection)
    connection.exec_driver_sql("DROP TABLE callbacks")
    connection.exec_driver_sql("ALTER TABLE tasks DROP COLUMN callback")
    version = schema.meta.c.name == "schema_version"
    connection.execute(schema.meta.update().where(version).values(value="7"))


async def test_a_ledger_of_version_7_learns_of_callbacks_and_folds_nothing_again(
    ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Ledger(ledger_url) as ledger:
        await stored(ledger, *HISTORY)
        before = await answers(ledger)
        await ledger.write(back_to_version_7)
    monkeypatch.setattr(migrations, "rebuild", lambda _: 1 / 0)
    async with Ledger(ledger_url) as ledger:
        assert await answers(ledger) == before
        assert await ledger.read(_tables_differ) == []
        callback = Callback(url="https://receiver.example/")
        batch = await stored(
            ledger,
            submitted("new", callback=callback),
            completed(task_id="new"),
            completed(task_id="done"),
        )
        assert [order.task_id for order in batch.callbacks] == ["new"]


def back_to_version_6(connection: Connection) -> None:
    """Without groups and labels."""
    back_to_version_7(connection)
    connection.exec_driver_sql("DROP TABLE task_labels")
    connection.exec_driver_sql("DROP TABLE group_totals")
    connection.exec_driver_sql("DROP INDEX tasks_by_group")
    for column in ("group_id", "labels"):
        connection.exec_driver_sql(f"ALTER TABLE tasks DROP COLUMN {column}")
    version = schema.meta.c.name == "schema_version"
    connection.execute(schema.meta.update().where(version).values(value="6"))


async def test_a_ledger_of_version_6_learns_of_groups_and_folds_nothing_again(
    ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Ledger(ledger_url) as ledger:
        await stored(ledger, *HISTORY)
        before = await answers(ledger)
        await ledger.write(back_to_version_6)
    monkeypatch.setattr(migrations, "rebuild", lambda _: 1 / 0)
    async with Ledger(ledger_url) as ledger:
        assert await answers(ledger) == before
        assert await ledger.read(_tables_differ) == []
        await stored(ledger, submitted("new", group="g", tags=("a",)), cancelled(task_id="new"))
        counts = await ledger.read(partial(group_counts, group_id="g"))
        assert {state: count for state, count in counts.counts.items() if count} == {
            State.CANCELLED: 1
        }


def back_to_version_4(connection: Connection) -> None:
    """Without what tells whose a task or a schedule is, and in which state an event left its task."""
    back_to_version_6(connection)
    connection.exec_driver_sql("ALTER TABLE events DROP COLUMN state")
    connection.exec_driver_sql("DROP TABLE api_keys")
    connection.exec_driver_sql("DROP INDEX tasks_by_submitter")
    connection.exec_driver_sql("ALTER TABLE tasks DROP COLUMN submitted_by")
    connection.exec_driver_sql("ALTER TABLE schedules DROP COLUMN created_by")
    version = schema.meta.c.name == "schema_version"
    connection.execute(schema.meta.update().where(version).values(value="4"))


async def test_a_ledger_of_version_4_learns_who_calls_and_folds_nothing_again(
    ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Ledger(ledger_url) as ledger:
        await stored(ledger, *HISTORY)
        before = await answers(ledger)
        await ledger.write(back_to_version_4)
    monkeypatch.setattr(migrations, "rebuild", lambda _: 1 / 0)
    async with Ledger(ledger_url) as ledger:
        assert await answers(ledger) == before
        assert await ledger.read(_tables_differ) == []
        await stored(ledger, submitted("new", submitted_by="key:ci"))


async def test_several_coordinators_may_migrate_at_once(ledger_url: str) -> None:
    before = await version_1(ledger_url)

    async def opened() -> dict[str, Any]:
        async with Ledger(ledger_url) as ledger:
            return await answers(ledger)

    assert list(await asyncio.gather(opened(), opened(), opened())) == [before] * 3


async def test_a_migration_that_is_interrupted_leaves_the_ledger_as_it_was(
    ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await version_1(ledger_url)
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "rebuild", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            async with Ledger(ledger_url):
                pass
    async with Ledger(ledger_url) as ledger:
        assert await answers(ledger) == before


async def test_an_index_that_is_new_is_made_in_tables_that_are_not(ledger_url: str) -> None:
    async with Ledger(ledger_url) as ledger:
        await ledger.write(lambda one: one.exec_driver_sql("DROP INDEX events_by_subject"))
    async with Ledger(ledger_url) as ledger:
        assert await ledger.read(_tables_differ) == []


async def test_what_a_version_before_parked_whole_is_cut_and_told_by_its_size(
    ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is folded again for it."""
    await version_1(ledger_url)
    bodies = [b"x" * 100_000, b"\xff\x00", b""]
    async with Ledger(ledger_url) as ledger:
        await ledger.write(lambda connection: back_to_version_3(connection, bodies))
    monkeypatch.setattr(migrations, "rebuild", lambda _: 1 / 0)
    async with Ledger(ledger_url) as ledger:
        page = await ledger.read(lambda connection: parked_page(connection, after=None, limit=9))
        assert [(one.size, one.author) for one in reversed(page.messages)] == [
            (100_000, ""),
            (2, ""),
            (0, ""),
        ]
        for one, body in zip(reversed(page.messages), bodies, strict=True):
            assert one.sha256 == hashlib.sha256(body).hexdigest()
            whole = await ledger.read(partial(parked_whole, position=one.position))
            assert whole.body == body[:65_536]
        assert await ledger.read(_tables_differ) == []


def back_to_version_3(connection: Connection, bodies: list[bytes]) -> None:
    back_to_version_4(connection)
    for index in ("parked_by_time", "parked_sizes"):
        connection.exec_driver_sql(f"DROP INDEX {index}")
    for column in ("author", "size", "kept", "body_digest"):
        connection.exec_driver_sql(f"ALTER TABLE parked DROP COLUMN {column}")
    old = sa.MetaData()
    old.reflect(connection, only=["parked", "meta"])
    words = {"received_at": 0, "reason": "why", "exchange": "", "routing_key": "k"}
    rows = [
        words | {"digest": str(number), "properties": "{}", "body": body}
        for number, body in enumerate(bodies)
    ]
    connection.execute(old.tables["parked"].insert(), rows)
    version = old.tables["meta"].c.name == "schema_version"
    connection.execute(old.tables["meta"].update().where(version).values(value="3"))


def _tables_differ(connection: Connection) -> list[str]:
    """The tables that are not what `schema` says, by their columns and indexes."""
    found = sa.inspect(connection)
    return [
        table.name
        for table in schema.metadata.sorted_tables
        if {column["name"] for column in found.get_columns(table.name)}
        != {column.name for column in table.columns}
        or {index.name for index in table.indexes}
        - {index["name"] for index in found.get_indexes(table.name)}
    ]
