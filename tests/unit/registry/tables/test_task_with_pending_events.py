"""A task is read with what is not folded yet, though another process folds it while it is read.

On PostgreSQL, where each statement of a request's turn sees what was committed by then; on SQLite nobody
else writes meanwhile.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.retry_backoff import RetryBackoff
from coordinator.domain.transitions.effects import Rules
from coordinator.registry.ledger.batch_folding import store
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables.task_with_pending_events import current_task
from tests.unit.domain.histories import START, failed, started, submitted

RULES = Rules(now=START, retry=RetryBackoff(spread=0))


@pytest.mark.parametrize("folded_before", [1, 2, 3], ids="statement {}".format)
async def test_an_event_that_is_folded_between_two_statements_counts(
    postgres_url: str, folded_before: int
) -> None:
    history = [submitted(max_attempts=1), started(), failed()]
    again = submitted(generation=2)
    loop = asyncio.get_running_loop()
    statements: list[str] = []

    def read(connection: Connection) -> Any:
        @sa.event.listens_for(connection, "before_cursor_execute")
        def fold_first(_connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
            statements.append(statement)
            if len(statements) == folded_before:
                folding = other.write(lambda connection: store(connection, [again], RULES))
                asyncio.run_coroutine_threadsafe(folding, loop).result(timeout=30)

        return current_task("t", [again], connection)

    async with Ledger(postgres_url) as ledger, Ledger(postgres_url) as other:
        await ledger.write(lambda connection: store(connection, history, RULES))
        task, message = await ledger.write(read)
    assert len(statements) >= folded_before - 1
    assert (task.state, task.generation) == ("queued", 2)
    assert message.generation == 2
