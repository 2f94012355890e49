"""Labels and groups in the ledger: written with a task, found by an index, gone with it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Connection

from coordinator.domain.dead_filter import DeadFilter
from coordinator.domain.labels.task_labels import LabelFilter
from coordinator.domain.task import State
from coordinator.domain.transitions.effects import Rules
from coordinator.protocol.messages.events import Event
from coordinator.registry.ledger.batch_folding import store
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.ledger.ledger_rebuild import rebuild
from coordinator.registry.queries.dead_tasks import DeadTasks
from coordinator.registry.queries.task_filter import TaskFilter
from coordinator.registry.queries.task_page_sql import PageLookup
from coordinator.registry.queries.task_pages import page_of
from coordinator.registry.tables import schema
from coordinator.registry.tables.labels.group_total_rows import group_counts
from coordinator.registry.tables.task_rows import task_of
from coordinator.registry.upkeep.retention import Retention, RetentionPeriods
from tests.unit.domain.histories import (
    START,
    all_events,
    at,
    cancelled,
    completed,
    dead_lettered,
    started,
    submitted,
)
from tests.unit.domain.labels.test_group_counts import GROUPS, grouped, recount
from tests.unit.registry.answers import answers, stored

NewLedger = Callable[[], AbstractAsyncContextManager[Ledger]]
BY_CUSTOMER = Rules(now=START, metadata_keys=frozenset({"customer"}))
LATER = at(40 * 86400)


async def folded(ledger: Ledger, *events: Event) -> None:
    await ledger.write(lambda connection: store(connection, events, BY_CUSTOMER))


async def counted(ledger: Ledger, group: str, by: str | None = None) -> dict[str, int]:
    found = await ledger.read(partial(group_counts, group_id=group, submitted_by=by))
    return {state.value: count for state, count in found.counts.items() if count}


async def page(ledger: Ledger, *pending: Event, **wanted: Any) -> list[str]:
    states = wanted.pop("states", frozenset())
    wish = TaskFilter(states=states, labels=LabelFilter(**wanted))
    found = await ledger.read(partial(page_of, wanted=wish, after=None, limit=50, pending=pending))
    return [task.task_id for task in found.tasks]


async def rows(ledger: Ledger, table: sa.Table) -> int:
    query = sa.select(sa.func.count()).select_from(table)
    return await ledger.read(lambda connection: int(connection.execute(query).scalar_one()))


def some() -> list[Event]:
    return [
        submitted("a", group="g", tags=("x", "y"), metadata={"customer": "acme", "n": 1}),
        submitted("b", group="g", tags=("y",), metadata={"customer": 7}, submitted_at=at(1)),
        submitted("c", group="h", submitted_at=at(2)),
        submitted("d", tags=("x",), submitted_at=at(3)),
        started(task_id="b"),
        completed(task_id="b"),
    ]


async def test_tasks_are_found_by_group_tag_and_metadata(ledger: Ledger) -> None:
    await folded(ledger, *some())
    assert await page(ledger, group="g") == ["b", "a"]
    assert await page(ledger, tags=frozenset({"x"})) == ["d", "a"]
    assert await page(ledger, tags=frozenset({"x", "y"})) == ["a"]
    assert await page(ledger, group="g", tags=frozenset({"y"})) == ["b", "a"]
    assert await page(ledger, metadata=frozenset({("customer", "acme")})) == ["a"]
    assert await page(ledger, metadata=frozenset({("customer", "7")})) == ["b"]
    assert await page(ledger, metadata=frozenset({("n", "1")})) == []
    assert await page(ledger, group="g", states=frozenset({State.COMPLETED})) == ["b"]
    assert await page(ledger, group="nobody's") == await page(ledger, tags=frozenset({"z"})) == []


async def test_what_is_not_folded_yet_is_found_by_its_labels(ledger: Ledger) -> None:
    await folded(ledger, *some())
    new = submitted("e", group="g", tags=("x",), metadata={"customer": "acme"}, submitted_at=at(4))
    end = cancelled(task_id="a")
    assert await page(ledger, new, end, group="g") == ["e", "b", "a"]
    assert await page(ledger, new, end, tags=frozenset({"x"})) == ["e", "d", "a"]
    assert await page(ledger, new, end, metadata=frozenset({("customer", "acme")})) == ["e", "a"]


async def test_whichever_label_leads_the_page_is_the_same(ledger: Ledger) -> None:
    await folded(ledger, *some())
    queued = frozenset({State.QUEUED})
    for wish, expected in (
        (TaskFilter(labels=LabelFilter(tags=frozenset({"x"}))), ["d", "a"]),
        (TaskFilter(labels=LabelFilter(tags=frozenset({"y"}), group="g")), ["b", "a"]),
        (TaskFilter(labels=LabelFilter(tags=frozenset({"x", "y"})), states=queued), ["a"]),
    ):
        for rare in (None, *wish.labels.labels):
            lookup = PageLookup(wish, None, rare=rare)
            query = lookup.places(None, 50)
            found = [row for one in lookup.leading for row in await _rows_of(ledger, query, one)]
            assert [row.task_id for row in sorted(found, reverse=True)] == expected


async def _rows_of(ledger: Ledger, query: sa.Select[Any], given: dict[str, str]) -> list[Any]:
    return await ledger.read(lambda connection: list(connection.execute(query, given)))


async def test_the_counts_of_a_group_are_told_for_each_caller_and_for_all(ledger: Ledger) -> None:
    await stored(
        ledger,
        submitted("a", group="g", submitted_by="key:ada"),
        submitted("b", group="g", submitted_by="key:bob"),
        submitted("c", group="g"),
        started(task_id="a"),
    )
    assert await counted(ledger, "g") == {"running": 1, "queued": 2}
    assert await counted(ledger, "g", "key:ada") == {"running": 1}
    assert await counted(ledger, "g", "key:eve") == {}


async def test_a_group_goes_with_its_tasks(ledger: Ledger) -> None:
    await folded(ledger, *some())
    keep = RetentionPeriods(ended=timedelta(days=30))
    retention = Retention(ledger=ledger, keep=keep, pause=timedelta(), now=lambda: LATER)
    assert await retention.prune() == 1
    assert await counted(ledger, "g") == {"queued": 1}
    await folded(
        ledger, *(cancelled(task_id=one) for one in "acd"), *(started(task_id=one) for one in "acd")
    )
    assert await retention.prune() == 3
    assert await rows(ledger, schema.group_totals) == await rows(ledger, schema.task_labels) == 0


async def test_a_rebuild_gives_the_same_labels_and_finds_older_tasks_by_new_keys(
    ledger: Ledger,
) -> None:
    await stored(ledger, *some())
    before = await answers(ledger)
    await ledger.write(rebuild)
    assert await answers(ledger) == before
    assert await page(ledger, metadata=frozenset({("customer", "acme")})) == []
    await ledger.write(partial(rebuild, metadata_keys=["customer"]))
    assert await page(ledger, metadata=frozenset({("customer", "acme")})) == ["a"]


async def test_dead_tasks_are_chosen_by_their_labels(ledger: Ledger) -> None:
    for name in ("a", "b"):
        message: dict[str, Any] = {"task_id": name, "group": "g", "tags": (name,)}
        await folded(ledger, submitted(**message), dead_lettered("delivery_limit", **message))
    dead = DeadTasks(ledger)

    async def found(**wanted: Any) -> int:
        return await dead.count(DeadFilter(labels=LabelFilter(**wanted)))

    assert await found(group="g") == 2
    assert await found(group="h") == 0
    assert await found(tags=frozenset({"a"})) == await found(group="g", tags=frozenset({"b"})) == 1
    assert await found(tags=frozenset({"a", "b"})) == 0


@settings(max_examples=25, deadline=None)
@given(data=st.data())
async def test_the_rows_are_those_of_a_recount_after_any_batches(
    new_ledger: NewLedger, data: st.DataObject
) -> None:
    events = st.lists(all_events(st.sampled_from(sorted(GROUPS))), max_size=12)
    batches = data.draw(st.lists(events, max_size=3))
    async with new_ledger() as ledger:
        for batch in batches:
            await stored(ledger, *map(grouped, batch))
        assert await ledger.read(_counts_agree)
        await ledger.write(rebuild)
        assert await ledger.read(_counts_agree)


def _counts_agree(connection: Connection) -> bool:
    tasks = {row.task_id: task_of(row) for row in connection.execute(sa.select(schema.tasks))}
    kept = {
        (row.group_id, row.submitted_by, row.state): row.tasks
        for row in connection.execute(sa.select(schema.group_totals))
        if row.tasks
    }
    return kept == recount(tasks)
