"""Old tasks leave the ledger, what they counted stays, and a rebuild gives the same answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import cast

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.domain.task import ENDED
from coordinator.protocol.messages.events import AgentRegistered, Event
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.ledger.ledger_rebuild import rebuild
from coordinator.registry.tables import schema
from coordinator.registry.upkeep import retention as retention_module
from coordinator.registry.upkeep.retention import KEEP_STUBS_FOR, Retention, RetentionPeriods
from coordinator.registry.upkeep.task_removal import forget
from tests.unit.domain.histories import (
    all_events,
    at,
    cancelled,
    completed,
    dead_lettered,
    failed,
    started,
    submitted,
)
from tests.unit.registry.answers import answers, stored, totals, totals_agree

NewLedger = Callable[[], AbstractAsyncContextManager[Ledger]]
LATER = at(40 * 86400)
"""When everything of these tests is long ago."""


def retention(ledger: Ledger, *, now: datetime = LATER, **keep: timedelta | None) -> Retention:
    return Retention(
        ledger=ledger, keep=RetentionPeriods(**keep), pause=timedelta(), now=lambda: now
    )


async def rows(ledger: Ledger, table: sa.Table) -> int:
    query = sa.select(sa.func.count()).select_from(table)
    return await ledger.read(lambda connection: int(connection.execute(query).scalar_one()))


async def kept(ledger: Ledger) -> list[str]:
    query = sa.select(schema.tasks.c.task_id).order_by(schema.tasks.c.task_id)
    return await ledger.read(lambda connection: list(connection.execute(query).scalars()))


async def test_a_task_that_ended_long_ago_goes_with_its_events_and_its_count_stays(
    ledger: Ledger,
) -> None:
    await stored(ledger, submitted(), started(), completed(), failed())
    counted = await totals(ledger)
    agent = Event(data=AgentRegistered(agent_id="t", agent_type="worker"))  # of the task's name
    await stored(ledger, agent)
    assert await retention(ledger).prune() == 1
    assert await kept(ledger) == []
    assert await rows(ledger, schema.events) == 1
    assert await totals(ledger) == counted
    assert counted.tasks_completed == counted.tasks_distributed == counted.assignments == 1
    assert await totals_agree(ledger)


async def test_what_ended_lately_or_goes_on_stays(ledger: Ledger) -> None:
    await stored(ledger, submitted("ended"), started(task_id="ended"), completed(task_id="ended"))
    await stored(ledger, submitted("running"), started(task_id="running"), submitted("queued"))
    await stored(ledger, submitted("later", not_before=at(60 * 86400)))
    assert await retention(ledger, now=at(29 * 86400)).prune() == 0
    assert await retention(ledger).prune() == 1
    assert await kept(ledger) == ["later", "queued", "running"]


async def test_a_task_whose_agent_has_a_wrong_clock_is_kept_as_long_as_others(
    ledger: Ledger,
) -> None:
    long_ago = -50 * 86400
    await stored(ledger, submitted(), started(seconds=long_ago), completed(seconds=long_ago))
    assert await retention(ledger, now=at(1)).prune() == 0


async def test_a_cancelled_task_stays_until_its_message_was_seen_to_leave_its_queue(
    ledger: Ledger,
) -> None:
    await stored(ledger, submitted(), cancelled())
    assert await retention(ledger).prune() == 0
    late = await stored(ledger, started("bob"))
    assert [effect.task_id for effect in late.effects] == ["t"]
    assert await retention(ledger).prune() == 1


async def test_a_cancelled_schedule_goes_with_its_outbox(ledger: Ledger) -> None:
    await stored(ledger, submitted(not_before=at(60)), cancelled())
    assert await retention(ledger).prune() == 1
    assert await rows(ledger, schema.outbox) == 0


async def test_dead_tasks_stay_unless_told_otherwise(ledger: Ledger) -> None:
    await stored(ledger, submitted(), dead_lettered("delivery_limit"))
    assert await retention(ledger).prune() == 0
    assert await retention(ledger, dead=timedelta(days=41)).prune() == 0
    assert await retention(ledger, dead=timedelta(days=1)).prune() == 1
    assert (await totals(ledger)).tasks_failed == 1


async def test_for_ever_is_for_ever(ledger: Ledger) -> None:
    await stored(ledger, submitted(), started(), completed())
    assert await retention(ledger, ended=None).prune() == 0


async def test_a_late_word_on_a_forgotten_task_counts_for_nothing_and_goes_too(
    ledger: Ledger,
) -> None:
    await stored(ledger, submitted(), started(), completed())
    await retention(ledger).prune()
    counted = await totals(ledger)
    await stored(ledger, started("bob"), completed("bob"))
    assert await totals(ledger) == counted
    again = retention(ledger)
    assert await again.prune() == 0, "its message might be coming"
    assert await again.prune() == 1
    assert await kept(ledger) == []
    assert await totals(ledger) == counted


async def test_a_task_without_content_is_kept_while_something_is_said_of_it(
    ledger: Ledger,
) -> None:
    looks = retention(ledger)
    await stored(ledger, started())
    await looks.prune()
    await stored(ledger, started("bob"))
    assert await looks.prune() == 0
    assert await retention(ledger, now=at(1) + KEEP_STUBS_FOR).prune() == 0


async def test_a_forgotten_task_may_be_submitted_again(ledger: Ledger) -> None:
    await stored(ledger, submitted(), started(), completed())
    await ledger.write(lambda connection: forget(connection, ["t", "nobody"]))
    assert await rows(ledger, schema.events) == 0
    await stored(ledger, submitted(), started(), completed())
    assert (await totals(ledger)).tasks_completed == 2
    before = await answers(ledger)
    await ledger.write(rebuild)
    assert await answers(ledger) == before


async def test_more_than_a_batch_is_forgotten_batch_by_batch(ledger: Ledger) -> None:
    for start in range(0, 1200, 100):
        names = [f"task-{number}" for number in range(start, start + 100)]
        events = [
            event
            for name in names
            for event in (submitted(name), started(task_id=name), completed(task_id=name))
        ]
        await stored(ledger, *events)
    counted = await totals(ledger)
    assert await retention(ledger).prune() == 1200
    assert await rows(ledger, schema.events) == await rows(ledger, schema.tasks) == 0
    assert await totals(ledger) == counted
    assert await totals_agree(ledger)


@pytest.mark.parametrize("index", ["tasks_by_end", "tasks_without_content"])
async def test_what_is_old_enough_is_found_by_an_index(sqlite_url: str, index: str) -> None:
    plans: list[str] = []

    def explain(connection: sa.Connection) -> None:
        def seen(*told: object) -> None:
            statement, parameters = str(told[2]), cast("tuple[int, ...]", told[3])
            if statement.startswith("SELECT tasks."):
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                plans.extend(str(row[3]) for row in plan)

        sa.event.listen(connection, "before_cursor_execute", seen)
        retention_module._ended_before(dict.fromkeys(ENDED, 1), 1, connection)
        retention_module._stubs_before(1, 1, connection)

    async with Ledger(sqlite_url) as ledger:
        await ledger.read(explain)
    assert any(f"USING INDEX {index}" in plan for plan in plans), plans
    assert not any(plan.startswith("SCAN") and "USING INDEX" not in plan for plan in plans), plans


TASKS = st.sampled_from(["t", "u", "v"])
histories = st.lists(all_events(TASKS), min_size=1, max_size=25)


@settings(max_examples=30, deadline=None)
@given(parts=st.lists(histories, min_size=1, max_size=3), dead=st.booleans())
def test_a_rebuild_gives_the_same_answers_whenever_tasks_were_forgotten(
    new_ledger: NewLedger, parts: list[list[Event]], dead: bool
) -> None:
    async def test() -> None:
        async with new_ledger() as ledger:
            keep = retention(ledger, dead=timedelta(days=1) if dead else None)
            for part in parts:
                await stored(ledger, *part)
                before = await totals(ledger)
                await keep.prune()
                assert await totals(ledger) == before
                assert await totals_agree(ledger)
                live = await answers(ledger)
                await ledger.write(rebuild)
                assert await answers(ledger) == live
                assert await totals_agree(ledger)

    asyncio.run(test())
