"""A service takes replacements for its parts, and interceptors that see all that it publishes and folds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from coordinator.bootstrap import Replacements
from coordinator.broker.connection import Connection
from coordinator.broker.publisher import Outgoing
from coordinator.protocol.messages.events import Event
from coordinator.registry.ledger.batch_folding import FoldedBatch
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables import schema
from tests.support.broker import Broker
from tests.support.serving import serving
from tests.support.waiting import eventually

pytestmark = pytest.mark.any_broker


class Watcher:
    """An interceptor of both seams."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.done: list[str] = []
        self.subjects: list[str] = []

    def before(self, one: Any) -> None:
        if isinstance(one, Outgoing):
            self.begun.append(one.key)

    def confirmed(self, outgoing: Outgoing) -> None:
        self.done.append(outgoing.key)

    def folded(self, events: Sequence[Event], batch: FoldedBatch) -> None:
        self.subjects += [event.data.subject for event in batch.events]

    def failed(self, one: Any, error: BaseException) -> None:
        raise AssertionError(f"{one} failed") from error


async def test_interceptors_see_a_task_when_it_is_published_and_when_it_is_folded(
    broker: Broker, tmp_path: Path
) -> None:
    watcher = Watcher()
    replacements = Replacements(publish_interceptors=[watcher], fold_interceptors=[watcher])
    async with serving(broker, tmp_path, replacements=replacements) as service:
        answer = await service.post("/tasks/submit", task_data={}, priority="high")
        assert "any.high" in watcher.begun
        assert "any.high" in watcher.done
        await eventually(lambda: answer["task_id"] in watcher.subjects)


async def test_clock_connections_and_ledger_may_be_a_tests_own(
    broker: Broker, tmp_path: Path
) -> None:
    long_ago = datetime(2001, 2, 3, tzinfo=UTC)
    made: list[Connection] = []

    def connect(url: str, *, name: str) -> Connection:
        made.append(Connection(url, name=f"{name} of a test"))
        return made[-1]

    async with Ledger(tmp_path / "own.sqlite3") as ledger:
        replacements = Replacements(now=lambda: long_ago, connect=connect, ledger=ledger)
        async with serving(broker, tmp_path, replacements=replacements) as service:
            answer = await service.post("/tasks/submit", task_data={})
            await eventually(lambda: is_stored(ledger, answer["task_id"]))
            task = await service.task(answer["task_id"])
            assert datetime.fromisoformat(task["submitted_at"]) == long_ago
            assert all(one.link is not None for one in made)
            assert len(made) == 2
        assert not (tmp_path / "ledger.sqlite3").exists()
        assert all(one.link is None for one in made)
        assert await is_stored(ledger, answer["task_id"])  # it was not closed with the service


async def is_stored(ledger: Ledger, task_id: str) -> bool:
    query = sa.select(schema.tasks.c.task_id).where(schema.tasks.c.task_id == task_id)
    return await ledger.read(lambda connection: connection.execute(query).first()) is not None
