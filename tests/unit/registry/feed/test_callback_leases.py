"""Callbacks in the ledger: ordered with the fold, leased by one at a time, noted, listed, redriven."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from coordinator.domain.callbacks.callback_delivery import CallbackDelivery, DeliveryState
from coordinator.domain.callbacks.delivery_outcome import Verdict
from coordinator.protocol.messages.task_message import Callback
from coordinator.registry.feed.callback_leases import (
    CallbackLeases,
    LeasedCallback,
    LeaseLimits,
    TriedCallback,
)
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.ledger.ledger_rebuild import rebuild
from coordinator.registry.stores.callback_deliveries import CallbackDeliveries, CallbackFilter
from coordinator.registry.tables import schema
from coordinator.registry.tables.callbacks.callback_rows import deliveries_of
from coordinator.registry.upkeep.retention import Retention, RetentionPeriods
from coordinator.registry.upkeep.task_removal import forget
from tests.unit.domain.histories import START, at, cancelled, completed, failed, started, submitted
from tests.unit.registry.answers import execute, stored

ANY = LeaseLimits(most=10, each=10, held={})
NONE = LeaseLimits(most=0, each=0, held={})


def callback(host: str = "receiver.example", *events: str) -> Callback:
    return Callback(url=f"https://{host}/hook", events=events or ("ended",))


async def ended(
    ledger: Ledger, *task_ids: str, host: str = "receiver.example", **more: Any
) -> None:
    for task_id in task_ids:
        await stored(
            ledger,
            submitted(task_id, callback=callback(host), **more),
            completed(task_id=task_id),
        )


async def taken(
    leases: CallbackLeases, limits: LeaseLimits = ANY, *, seconds: float = 0
) -> list[LeasedCallback]:
    return await leases.exchange([], limits, now=at(seconds))


def tried(one: LeasedCallback, state: DeliveryState, *, seconds: float = 0) -> TriedCallback:
    error = None if state is DeliveryState.DELIVERED else "The receiver answered 500"
    verdict = Verdict(
        state=state, due_at=at(seconds + 60), status=500 if error else 200, error=error
    )
    return TriedCallback(leased=one, tried_at=at(seconds), verdict=verdict)


async def rows(ledger: Ledger, task_id: str) -> list[CallbackDelivery]:
    return await ledger.read(lambda one: deliveries_of(one, task_id, 100))


@pytest.fixture
def leases(ledger: Ledger) -> CallbackLeases:
    return CallbackLeases(ledger, lasting=timedelta(seconds=30))


async def test_an_end_is_ordered_in_the_transaction_that_folds_it(
    ledger: Ledger, leases: CallbackLeases
) -> None:
    await stored(ledger, submitted("t", callback=callback()), started(task_id="t"))
    assert await leases.next_due(START) is None
    batch = await stored(ledger, completed(task_id="t"))
    assert [order.event for order in batch.callbacks] == ["completed"]
    assert await leases.next_due(START) == START


async def test_what_is_folded_again_is_ordered_once(ledger: Ledger, leases: CallbackLeases) -> None:
    events = [submitted("t", callback=callback()), completed(task_id="t")]
    for _ in range(2):
        await stored(ledger, *events)
    await ledger.write(rebuild)
    assert len(await rows(ledger, "t")) == 1


async def test_it_is_leased_with_the_event_as_subscribers_see_it(
    ledger: Ledger, leases: CallbackLeases
) -> None:
    await ended(ledger, "t")
    (leased,) = await taken(leases)
    assert leased.body is not None
    event = json.loads(leased.body)
    assert event["specversion"] == "1.0"
    assert (event["type"], event["subject"]) == ("task.completed", "t")
    assert event["data"]["state"] == "completed"
    assert event["data"]["result_bytes"] == len('{"done":true}')
    assert "token" not in leased.body.decode()


async def test_the_end_that_came_before_its_task_is_told_whoever_its_author_is(
    ledger: Ledger, leases: CallbackLeases
) -> None:
    end = completed(task_id="t")
    await stored(ledger, end)
    await stored(ledger, submitted("t", callback=callback()))
    (leased,) = await taken(leases)
    assert leased.body is not None
    assert json.loads(leased.body)["id"] == end.id


async def test_an_event_under_anothers_id_is_not_told_in_its_place(
    ledger: Ledger, leases: CallbackLeases
) -> None:
    end = completed(task_id="t")
    other = replace(started("bob", task_id="t"), id=end.id)
    await stored(ledger, submitted("t", callback=callback()), other, end)
    (leased,) = await taken(leases)
    assert leased.body is not None
    assert json.loads(leased.body)["type"] == "task.completed"


async def test_one_deliverer_at_a_time_has_it_until_its_lease_ends(
    ledger: Ledger, leases: CallbackLeases
) -> None:
    await ended(ledger, "t")
    (first,) = await taken(leases)
    assert await taken(leases, seconds=29) == []
    (second,) = await taken(leases, seconds=31)
    assert second.delivery.webhook_id == first.delivery.webhook_id
    assert second.body == first.body


async def test_two_that_ask_at_once_get_different_ones(ledger: Ledger, ledger_url: str) -> None:
    await ended(ledger, *(f"t{number}" for number in range(20)))
    async with Ledger(ledger_url) as other:
        both = [CallbackLeases(one, lasting=timedelta(seconds=30)) for one in (ledger, other)]
        found = await asyncio.gather(*(taken(one) for one in both for _ in range(3)))
    ids = [one.delivery.webhook_id for part in found for one in part]
    assert len(ids) == len(set(ids))


async def test_what_came_of_it_is_noted_and_the_next_try_waits_for_its_time(
    ledger: Ledger, leases: CallbackLeases
) -> None:
    await ended(ledger, "t")
    (leased,) = await taken(leases)
    assert await leases.exchange([tried(leased, DeliveryState.PENDING)], ANY, now=at(1)) == []
    (row,) = await rows(ledger, "t")
    assert (row.state, row.attempts, row.status) == (DeliveryState.PENDING, 1, 500)
    assert (row.due_at, row.tried_at, row.ended_at) == (at(60), at(0), None)
    (again,) = await taken(leases, seconds=60)
    await leases.exchange([tried(again, DeliveryState.DELIVERED, seconds=61)], NONE, now=at(61))
    (row,) = await rows(ledger, "t")
    assert (row.state, row.attempts, row.status, row.error) == (
        DeliveryState.DELIVERED,
        2,
        200,
        None,
    )
    assert row.ended_at == at(61)
    assert await taken(leases, seconds=10_000) == []


async def test_who_lost_the_lease_notes_nothing(ledger: Ledger, leases: CallbackLeases) -> None:
    await ended(ledger, "t")
    (first,) = await taken(leases)
    (second,) = await taken(leases, seconds=31)
    await leases.exchange([tried(second, DeliveryState.DELIVERED)], NONE, now=at(32))
    await leases.exchange([tried(first, DeliveryState.PENDING)], NONE, now=at(33))
    assert [row.state for row in await rows(ledger, "t")] == [DeliveryState.DELIVERED]


async def test_no_host_gets_more_than_its_share_and_the_others_get_theirs(
    ledger: Ledger, leases: CallbackLeases
) -> None:
    await ended(ledger, *(f"slow{number}" for number in range(30)), host="slow.example")
    await ended(ledger, "other", host="other.example")
    limits = LeaseLimits(most=5, each=2, held={})
    first = [one.host for one in await taken(leases, limits)]
    assert first.count("slow.example") == 2
    second = [one.host for one in await taken(leases, replace(limits, held={"slow.example": 2}))]
    assert sorted(first + second) == ["other.example", "slow.example", "slow.example"]


async def test_a_host_that_failed_gets_one_at_a_time(
    ledger: Ledger, leases: CallbackLeases
) -> None:
    await ended(ledger, "a", "b", "c")
    shy = LeaseLimits(most=5, each=4, held={}, shy=frozenset({"receiver.example"}))
    assert len(await taken(leases, shy)) == 1
    assert await taken(leases, replace(shy, held={"receiver.example": 1})) == []


async def test_an_event_that_cannot_be_read_is_leased_without_a_body(
    ledger: Ledger, leases: CallbackLeases
) -> None:
    await ended(ledger, "t")
    spoilt = schema.events.update().where(schema.events.c.type == "task.completed")
    await ledger.write(lambda one: execute(spoilt.values(data="no JSON"), one))
    assert [one.body for one in await taken(leases)] == [None]


async def test_callbacks_go_with_their_task(ledger: Ledger) -> None:
    await ended(ledger, "t", "u")
    await ledger.write(lambda one: forget(one, ["t"]))
    assert await rows(ledger, "t") == []
    assert len(await rows(ledger, "u")) == 1


async def test_retention_waits_for_what_is_still_to_be_told_but_not_for_ever(
    ledger: Ledger, leases: CallbackLeases
) -> None:
    await ended(ledger, "told", "waits")
    first, second = sorted(await taken(leases), key=lambda one: one.delivery.task_id)
    await leases.exchange(
        [tried(first, DeliveryState.DELIVERED), tried(second, DeliveryState.PENDING)],
        NONE,
        now=at(1),
    )
    assert await _pruned(ledger, at(3600)) == 1
    assert await rows(ledger, "told") == []
    assert len(await rows(ledger, "waits")) == 1
    assert await _pruned(ledger, at(8 * 86400)) == 1


async def _pruned(ledger: Ledger, now: datetime) -> int:
    keep = RetentionPeriods(ended=timedelta(minutes=1))
    return await Retention(ledger=ledger, keep=keep, now=lambda: now).prune()


async def test_dead_ones_are_redriven_under_their_ids_for_as_long_as_new_ones(
    ledger: Ledger, leases: CallbackLeases
) -> None:
    await ended(ledger, "a", "b")
    first, second = await taken(leases)
    await leases.exchange(
        [tried(first, DeliveryState.DEAD), tried(second, DeliveryState.DELIVERED)], NONE, now=at(1)
    )
    deliveries = CallbackDeliveries(ledger, now=lambda: at(1000))
    assert await deliveries.redrive(CallbackFilter(), dry_run=True) == 1
    assert await deliveries.redrive(CallbackFilter(task_id="none"), dry_run=False) == 0
    assert await deliveries.redrive(CallbackFilter(), dry_run=False) == 1
    (again,) = await taken(leases, seconds=1001)
    assert again.delivery.webhook_id == first.delivery.webhook_id
    assert (again.delivery.since, again.delivery.attempts) == (at(1000), 1)
    assert again.delivery.ended_at is None


async def test_lists_are_by_page_and_filtered(ledger: Ledger, leases: CallbackLeases) -> None:
    await ended(ledger, "a", "b", submitted_by="key:one")
    await ended(ledger, "c", host="other.example", submitted_by="key:two")
    await stored(ledger, submitted("d", callback=callback()), cancelled(task_id="d"))
    deliveries = CallbackDeliveries(ledger)

    async def ids(wanted: CallbackFilter, limit: int = 100) -> list[str]:
        found: list[str] = []
        after = None
        while True:
            page = await deliveries.page(wanted, after=after, limit=limit)
            found += [one.task_id for one in page.deliveries]
            after = page.following
            if after is None:
                return found

    assert sorted(await ids(CallbackFilter(), limit=1)) == ["a", "b", "c", "d"]
    assert sorted(await ids(CallbackFilter(), limit=1)) == sorted(await ids(CallbackFilter()))
    assert await ids(CallbackFilter(task_id="b")) == ["b"]
    assert await ids(CallbackFilter(host="Other.example")) == ["c"]
    assert sorted(await ids(CallbackFilter(submitted_by="key:one"))) == ["a", "b"]
    assert await ids(CallbackFilter(state=DeliveryState.DEAD)) == []
    assert await deliveries.redrive(CallbackFilter(submitted_by="key:two"), dry_run=True) == 0


async def test_a_url_that_is_none_is_kept_and_told_apart_from_no_other(
    ledger: Ledger, leases: CallbackLeases
) -> None:
    """What did not come through the API: a message that somebody wrote to the broker."""
    for task_id, url in (("a", "https://[::1"), ("b", "x\x00y"), ("c", "https://" + "h" * 2000)):
        await stored(
            ledger,
            submitted(task_id, callback=Callback(url=url)),
            failed(task_id=task_id, retryable=False),
        )
    assert len(await taken(leases)) == 3
