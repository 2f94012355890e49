"""Inspects a ledger from outside, for `coordinator doctor`.

It changes nothing: it makes no file and no table, and migrates nothing, so that it may look at a
ledger that another version is working on.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row
from sqlalchemy.exc import SQLAlchemyError

from coordinator.domain.agent_status_rules import STALE_AFTER
from coordinator.domain.callbacks.callback_delivery import DeliveryState
from coordinator.domain.clock_skew import SKEW_BOUND
from coordinator.errors import OperatorError
from coordinator.protocol.requirements import Profile, Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.registry.tables import schema
from coordinator.registry.tables.agent_rows import agent_of
from coordinator.registry.tables.schema import SCHEMA_VERSION, from_micros, micros
from coordinator.registry.tables.task_queue_rows import open_task_queues
from coordinator.registry.tables.unreadable_rows import NOT_READ, readable

from .database_engines import look_only
from .database_timeouts import DatabaseTimeouts
from .database_url import SQLITE, is_a_file, parse
from .inspection_results import (
    CallbackTrouble,
    FailingSchedules,
    KnownUsers,
    LedgerFacts,
    LedgerState,
    ParkingSummary,
    WrongClock,
)
from .ledger import ledger_id
from .undeliverable_queues import stuck_queues

__all__ = ["examine"]

OVERDUE_AFTER = timedelta(minutes=1)
"""An attempt of the outbox that is due for longer should have been published."""


def examine(
    place: str | Path,
    now: datetime,
    timeouts: DatabaseTimeouts = DatabaseTimeouts(),  # noqa: B008 - frozen
) -> LedgerFacts:
    """Read the ledger in this file or at this address; blocks, for seconds where the database is locked
    or away.
    """
    try:
        parsed = parse(place)
    except OperatorError as exc:
        return LedgerFacts(location="at this address", is_file=False, trouble=str(exc))
    file = Path(parsed.database or "") if parsed.drivername == SQLITE else None
    if file is not None and is_a_file(file.parent):
        return LedgerFacts(location=str(file), trouble=f"{file.parent} is a file, and no folder")
    location = str(file or parsed.set(drivername="postgresql").render_as_string())
    engine = None
    try:
        if file is not None and not file.exists():
            return LedgerFacts(location=location)
        engine = look_only(place, timeouts)
        with engine.connect() as connection:
            state = _state(connection, file, now)
    except NOT_READ as exc:
        trouble = f"a value in it cannot be read: {exc}"
        return LedgerFacts(location=location, is_file=file is not None, trouble=trouble)
    except (SQLAlchemyError, OSError, OperatorError) as exc:
        told = str(getattr(exc, "orig", None) or exc).strip().splitlines()
        trouble = told[0] if told else type(exc).__name__
        return LedgerFacts(location=location, is_file=file is not None, trouble=trouble)
    finally:
        if engine is not None:
            engine.dispose()
    return LedgerFacts(location=location, is_file=file is not None, state=state)


def _state(connection: Connection, file: Path | None, now: datetime) -> LedgerState | None:
    if not sa.inspect(connection).has_table(schema.meta.name):
        return None
    name = schema.meta.c.name
    version = connection.scalar(sa.select(schema.meta.c.value).where(name == "schema_version"))
    if version is None:
        return None
    if not str(version).isdecimal():
        raise OperatorError(f"its version is {version!r}, which is none")
    size, free = _sizes(connection, file)
    if int(version) != SCHEMA_VERSION:
        return LedgerState(schema_version=int(version), size=size, free=free)
    overdue, first_due = _overdue(connection, now)
    opened = open_task_queues(connection)
    known = tuple(source for source, _ in opened)
    return LedgerState(
        schema_version=int(version),
        size=size,
        free=free,
        ledger_id=ledger_id(connection),
        parking=_parking(connection),
        overdue=overdue,
        overdue_for=timedelta(0) if first_due is None else now - first_due,
        folded_until=_folded_until(connection),
        task_queues=known,
        unreadable_task_queues=_rows(connection, schema.sources) - len(known),
        failing=_failing(connection),
        callbacks=_callbacks(connection, now),
        wrong_clocks=_wrong_clocks(connection),
        users=_users(connection, opened),
        stuck=stuck_queues(connection),
    )


def _rows(connection: Connection, table: sa.Table) -> int:
    return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def _users(connection: Connection, opened: Iterable[tuple[TaskQueue, Requirements]]) -> KnownUsers:
    entered: tuple[tuple[str, str], ...] = ()
    if sa.inspect(connection).has_table(schema.broker_users.name):  # no older version has it
        table = schema.broker_users
        rows = connection.execute(sa.select(table).order_by(*table.c))
        entered = tuple((row.user_name, row.agent_id) for row in rows)
    table = schema.agents
    agents = connection.execute(sa.select(table).order_by(table.c.agent_id)).all()
    return KnownUsers(
        agents=tuple(readable(agents, _profile, table)),
        entered=entered,
        lanes={source.lane: wanted for source, wanted in opened},
    )


def _profile(row: Row[Any]) -> Profile:
    said = agent_of(row).registration
    return Profile(
        agent_id=said.agent_id,
        agent_type=said.agent_type,
        capabilities=frozenset(said.capabilities),
        services=frozenset(said.services),
        task_types=frozenset(said.task_types) if said.task_types else None,
    )


def _failing(connection: Connection) -> FailingSchedules:
    table = schema.schedules
    if not sa.inspect(connection).has_table(table.name):  # a version before it had schedules
        return FailingSchedules()
    failing = table.c.last_error.is_not(None)
    count = connection.scalar(sa.select(sa.func.count()).select_from(table).where(failing)) or 0
    query = sa.select(table.c.schedule_id, table.c.last_error).where(failing)
    first = connection.execute(query.order_by(table.c.schedule_id).limit(1)).first()
    if first is None:
        return FailingSchedules()
    return FailingSchedules(count=count, first=first.schedule_id, why=first.last_error)


def _callbacks(connection: Connection, now: datetime) -> CallbackTrouble:
    table = schema.callbacks
    dead = table.c.state == DeliveryState.DEAD.value
    count = connection.scalar(sa.select(sa.func.count()).select_from(table).where(dead)) or 0
    last = sa.select(table.c.error).where(dead).order_by(table.c.ended_at.desc()).limit(1)
    overdue, first = connection.execute(
        sa.select(sa.func.count(), sa.func.min(table.c.due_at)).where(
            table.c.state == DeliveryState.PENDING.value,
            table.c.due_at < micros(now - OVERDUE_AFTER),
            table.c.claimed_until < micros(now),
        )
    ).one()
    return CallbackTrouble(
        dead=count,
        why=(connection.scalar(last) or "") if count else "",
        overdue=overdue,
        overdue_for=timedelta(0) if first is None else now - from_micros(first),
    )


def _sizes(connection: Connection, file: Path | None) -> tuple[int, int | None]:
    if file is None:
        return int(connection.scalar(sa.text("SELECT pg_database_size(current_database())"))), None
    parts = (Path(f"{file}{ending}") for ending in ("", "-wal", "-shm"))
    size = sum(os.stat(part).st_size for part in parts if part.exists())  # noqa: PTH116
    return size, shutil.disk_usage(file.parent).free


def _parking(connection: Connection) -> ParkingSummary:
    table = schema.parked
    amount = _rows(connection, table)
    latest = connection.execute(
        sa.select(table.c.reason, table.c.received_at).order_by(table.c.position.desc()).limit(1)
    ).first()
    if latest is None:
        return ParkingSummary()
    at = from_micros(latest.received_at)
    return ParkingSummary(count=amount, latest=latest.reason, latest_at=at)


def _overdue(connection: Connection, now: datetime) -> tuple[int, datetime | None]:
    """How many, and when the first was due; those that a coordinator has in hand are not counted."""
    table = schema.outbox
    row = connection.execute(
        sa.select(sa.func.count(), sa.func.min(table.c.due_at)).where(
            table.c.due_at < micros(now - OVERDUE_AFTER), table.c.claimed_until < micros(now)
        )
    ).one()
    return row[0], None if row[1] is None else from_micros(row[1])


def _folded_until(connection: Connection) -> datetime | None:
    table = schema.events
    latest = connection.scalar(sa.select(table.c.time).order_by(table.c.position.desc()).limit(1))
    return None if latest is None else from_micros(latest)


def _wrong_clocks(connection: Connection) -> tuple[WrongClock, ...]:
    """As the latest snapshot has them; how long an agent was silent is counted by durations."""
    table = schema.agents.c
    bound, silent = (one // timedelta(microseconds=1) for one in (SKEW_BOUND, STALE_AFTER))
    wrong = sa.func.abs(table.clock_skew)
    rows = connection.execute(
        sa.select(table.agent_id, table.clock_skew)
        .where(wrong > bound, table.silence <= silent)
        .order_by(wrong.desc(), table.agent_id)
    )
    return tuple(
        WrongClock(agent_id=row.agent_id, ahead=timedelta(microseconds=row.clock_skew))
        for row in rows
    )
