"""What is due, what waits and what is parked is counted, in each database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy.engine import Connection

from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables import schema
from coordinator.registry.tables.schema import micros
from coordinator.registry.upkeep.ledger_backlog import LedgerBacklog, ledger_backlog
from tests.unit.domain.histories import answered, asked, cancelled, started, submitted
from tests.unit.registry.answers import stored

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


async def test_only_what_is_due_counts_as_due(ledger: Ledger) -> None:
    def fill(connection: Connection) -> None:
        for number, due in enumerate((-60, 0, 60)):
            row = {"task_id": f"t{number}", "generation": 1, "attempt": 1}
            at = micros(NOON + timedelta(seconds=due))
            connection.execute(schema.outbox.insert().values(**row, due_at=at))
        callback: dict[str, Any] = {
            "task_id": "t",
            "event_id": "e",
            "event": "dead",
            "url": "",
            "host": "",
        }
        counts = {"attempts": 0, "ordered_at": 0, "since": 0, "due_at": 0, "claimed_until": 0}
        for number, state in enumerate(("pending", "dead", "dead", "delivered")):
            one = callback | counts | {"webhook_id": str(number), "secret_ref": "", "state": state}
            connection.execute(schema.callbacks.insert().values(one))
        connection.execute(
            schema.parked.insert().values(
                digest="d",
                received_at=micros(NOON),
                reason="no event",
                exchange="",
                routing_key="",
                properties="{}",
                body=b"",
            )
        )

    await ledger.write(fill)
    found = await ledger.read(partial(ledger_backlog, NOON))
    assert found == LedgerBacklog(
        due=2, outbox=3, parked=1, input_required=0, callbacks_pending=1, callbacks_dead=2
    )


async def test_tasks_count_while_they_wait_for_people(ledger: Ledger) -> None:
    for name in ("kept", "released", "answered"):
        await stored(ledger, submitted(name), started(task_id=name))
        await stored(ledger, asked(task_id=name, release=name == "released"))
    await stored(ledger, asked(task_id="never heard of"))

    async def counted() -> int:
        return (await ledger.read(partial(ledger_backlog, NOON))).input_required

    assert await counted() == 3
    await stored(ledger, answered(task_id="answered"))
    assert await counted() == 2
    await stored(ledger, cancelled(task_id="kept"))
    assert await counted() == 1
