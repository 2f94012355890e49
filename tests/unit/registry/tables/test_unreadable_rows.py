"""Rows that nobody can read any more: each is told of once and left out, and all else goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from coordinator.domain.dead_filter import DeadFilter
from coordinator.domain.idempotency_claim import Answered, IdempotencyClaim
from coordinator.errors import OperatorError
from coordinator.protocol.messages.events import Event, SourceOpened
from coordinator.protocol.priority import Priority
from coordinator.registry.agents.agent_snapshots import AgentSnapshots
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.ledger.ledger_rebuild import rebuild
from coordinator.registry.queries.dead_tasks import DeadTasks
from coordinator.registry.queries.parked_pages import parked_page
from coordinator.registry.queries.task_filter import TaskFilter
from coordinator.registry.queries.task_pages import page_of
from coordinator.registry.queries.task_timeline import timeline_of
from coordinator.registry.stores.idempotency_keys import IdempotencyKeys
from coordinator.registry.stores.outbox_rows import UNREADABLE, OutboxRows
from coordinator.registry.stores.request_turns import RequestTurns
from coordinator.registry.tables import schema
from coordinator.registry.tables.schema import idempotency_keys as keys
from coordinator.registry.upkeep.missing_tasks import MissingTasks
from coordinator.registry.upkeep.overdue_tasks import OverdueTasks
from coordinator.registry.upkeep.running_tasks import RunningTasks
from coordinator.registry.upkeep.task_removal import forget
from tests.unit.domain.histories import at, failed, started, submitted
from tests.unit.registry.answers import execute, stored, totals
from tests.unit.registry.fleet import Fleet, beat, registered


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[], list[list[str]]]:
    """The keys of the rows that the log has told of."""
    caplog.set_level(logging.ERROR, logger="coordinator.registry.tables.unreadable_rows")
    return lambda: [record.__dict__["key"] for record in caplog.records]


async def spoil(ledger: Ledger, table: sa.Table, where: Any, **values: Any) -> None:
    statement = table.update().where(where).values(values)

    def write(connection: sa.Connection) -> None:
        assert connection.execute(statement).rowcount == 1

    await ledger.write(write)


async def spoil_content(ledger: Ledger, task_id: str) -> None:
    event = (schema.events.c.subject == task_id) & (schema.events.c.type == "task.submitted")
    await spoil(ledger, schema.events, event, data='{"task": {"task_id": 7}}')


@pytest.mark.parametrize("wrong", [{"priority": "soon"}, {"requirements": "{"}])
async def test_a_queue_that_cannot_be_read_leaves_the_others(
    ledger: Ledger, told: Callable[[], list[list[str]]], wrong: dict[str, str]
) -> None:
    opened = [
        Event(data=SourceOpened(lane=lane, priority=Priority.LOW, requirements=asked))
        for lane, asked in (("any", {}), ("type:worker", {"agent_type": "worker"}))
    ]
    await stored(ledger, *opened)
    await spoil(ledger, schema.sources, schema.sources.c.lane == "any", **wrong)
    for _ in range(2):
        assert [source.lane for source, _ in await ledger.task_queues()] == ["type:worker"]
    assert told() == [["any", wrong.get("priority", "low")]]


async def test_a_row_is_told_of_again_when_its_ledger_is_opened_again(
    ledger: Ledger, ledger_url: str, told: Callable[[], list[list[str]]]
) -> None:
    await stored(ledger, Event(data=SourceOpened(lane="any", priority=Priority.LOW)))
    await spoil(ledger, schema.sources, schema.sources.c.lane == "any", requirements="{")
    assert await ledger.task_queues() == []
    async with Ledger(ledger_url) as again:
        assert await again.task_queues() == []
        assert await again.task_queues() == []
    assert told() == [["any", "low"]] * 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"registration": "[]"},
        {"declared": "on-holiday"},
        {"stated_at": 2**62},
    ],
)
async def test_an_agent_that_cannot_be_read_leaves_the_others(
    ledger: Ledger, told: Callable[[], list[list[str]]], wrong: dict[str, Any]
) -> None:
    await stored(ledger, *map(registered, "abc"))
    fleet = Fleet()
    for one in "abc":
        fleet.apply(registered(one))
        fleet.apply(beat(one, load_metrics={"cpu": 0.5}))
    await AgentSnapshots(ledger=ledger, agents=fleet).write()
    await spoil(ledger, schema.agents, schema.agents.c.agent_id == "b", **wrong)
    after = Fleet()
    for _ in range(2):
        await AgentSnapshots(ledger=ledger, agents=after).restore()
    assert [one.agent_id for one in after.find()] == ["a", "c"]
    assert told() == [["b"]]
    await stored(ledger, registered("b", seconds=9))  # who says it anew is heard
    await AgentSnapshots(ledger=ledger, agents=after).restore()
    assert [one.agent_id for one in after.find()] == ["a", "b", "c"]


@pytest.mark.parametrize("wrong", [{"heartbeat": '{"agent_id": 7}'}, {"load_metrics": "{"}])
async def test_an_agent_whose_last_heartbeat_cannot_be_read_is_known_without_it(
    ledger: Ledger, wrong: dict[str, Any]
) -> None:
    await stored(ledger, registered("a"))
    await spoil(ledger, schema.agents, schema.agents.c.agent_id == "a", **wrong)
    fleet = Fleet()
    await AgentSnapshots(ledger=ledger, agents=fleet).restore()
    assert [one.agent_id for one in fleet.find()] == ["a"]


async def test_an_attempt_whose_task_cannot_be_read_holds_up_no_other(
    ledger: Ledger, told: Callable[[], list[list[str]]]
) -> None:
    for name in "abc":
        await stored(ledger, submitted(name), started(task_id=name), failed(task_id=name))
    await spoil(ledger, schema.tasks, schema.tasks.c.task_id == "a", state="lost")
    await spoil_content(ledger, "b")
    now = at(3600)
    rows = OutboxRows(ledger, now=lambda: now)
    assert [one.task_id for one in await rows.lease()] == ["c"]
    assert await rows.next_due() is None
    now += UNREADABLE + timedelta(seconds=1)
    assert [one.task_id for one in await rows.lease()] == ["c"]
    assert len(told()) == 2
    await spoil(ledger, schema.tasks, schema.tasks.c.task_id == "a", state="waiting")
    now += UNREADABLE + timedelta(seconds=1)
    assert {one.task_id for one in await rows.lease()} == {"a", "c"}


@pytest.mark.parametrize("wrong", [{"backoff": "{"}, {"priority": "soon"}])
async def test_tasks_that_cannot_be_read_are_left_out_by_all_who_look_at_many(
    ledger: Ledger, wrong: dict[str, Any]
) -> None:
    for name in "ab":
        await stored(ledger, submitted(name, expires_at=at(60)))
    await spoil(ledger, schema.tasks, schema.tasks.c.task_id == "a", **wrong)
    overdue = await OverdueTasks(ledger).since(at(90), most=9)
    assert [task.task_id for task in overdue] == ["b"]
    await stored(ledger, submitted("c", submitted_at=at(9)), started(task_id="c"))
    assert [one.task.task_id for one in await MissingTasks(ledger).look()] in (["b"], ["a", "b"])
    page = await ledger.read(partial(page_of, wanted=TaskFilter(), after=None, limit=9))
    assert {task.task_id for task in page.tasks} == {"b", "c"}
    await spoil(ledger, schema.tasks, schema.tasks.c.task_id == "c", progress="{")
    assert await RunningTasks(ledger).look() == []


async def test_a_queue_that_cannot_be_read_keeps_no_task_from_being_listed(ledger: Ledger) -> None:
    asked = {"agent_type": "worker"}
    opened = SourceOpened(lane="type:worker", priority=Priority.NORMAL, requirements=asked)
    await stored(ledger, Event(data=opened), submitted("a", requirements=asked))
    await spoil(ledger, schema.sources, schema.sources.c.lane == "type:worker", requirements="{")
    page = await ledger.read(partial(page_of, wanted=TaskFilter(), after=None, limit=9))
    assert [(task.task_id, task.requirements) for task in page.tasks] == [("a", asked)]


async def test_dead_tasks_that_cannot_be_read_are_neither_listed_nor_tried_again(
    ledger: Ledger,
) -> None:
    for name in "abc":
        await stored(ledger, submitted(name, max_attempts=1), started(task_id=name))
        await stored(ledger, failed(task_id=name))
    await spoil(ledger, schema.tasks, schema.tasks.c.task_id == "a", error="{")
    await spoil_content(ledger, "b")
    dead = DeadTasks(ledger)
    page = await dead.page(DeadFilter(), limit=9, cursor=None)
    assert sorted(task.task_id for task in page.tasks) == ["b", "c"]
    turns = RequestTurns(ledger=ledger, pending=lambda _: [], settle=nothing)
    last, redriven = await turns.take_dead(
        DeadFilter(), after=None, most=9, event_id=lambda task: f"{task.task_id}.2.1.scheduled"
    )
    assert [task.task_id for task, _ in redriven] == ["c"]
    assert last is not None
    taken = await ledger.read(lambda connection: connection.execute(sa.select(schema.turns)).all())
    assert [row.task_id for row in taken] == ["c"]


async def nothing() -> None:
    """There is one coordinator."""


async def test_a_task_that_cannot_be_read_can_be_forgotten(ledger: Ledger) -> None:
    await stored(ledger, submitted("a"), submitted("b"))
    await spoil(ledger, schema.tasks, schema.tasks.c.task_id == "a", state="lost")
    assert await ledger.write(lambda connection: forget(connection, ["a", "b"])) == 2


async def test_events_that_cannot_be_read_are_left_out_of_a_rebuild_and_of_a_timeline(
    ledger: Ledger, told: Callable[[], list[list[str]]]
) -> None:
    await stored(ledger, submitted("a"), submitted("b"), started(task_id="b"))
    of_a = schema.events.c.subject == "a"
    await spoil(ledger, schema.events, of_a, type="task.of-another-version")
    assert await ledger.write(rebuild) == 2
    assert (await totals(ledger)).tasks_distributed == 1
    timeline = await ledger.read(partial(timeline_of, task_id="a", after=None, limit=9))
    assert timeline.events == []
    assert len(told()) == 1


async def test_totals_of_another_version_are_left_out(ledger: Ledger) -> None:
    await stored(ledger, submitted("a"))
    new = schema.totals.insert().values(name="tasks_of_the_future", value=7)
    await ledger.write(partial(execute, new))
    assert (await totals(ledger)).tasks_distributed == 1


async def test_an_answer_that_cannot_be_read_is_worked_out_again(ledger: Ledger) -> None:
    now = at(0)
    answers = IdempotencyKeys(ledger, kept=timedelta(days=1), now=lambda: now)
    claim = await answers.claim("k", "print", timedelta(seconds=5))
    assert isinstance(claim, IdempotencyClaim)
    await answers.finish(claim, {"status": "success"})
    await spoil(ledger, keys, keys.c.key == "k", answer="{")
    assert await answers.claim("k", "print", timedelta(seconds=5)) == Answered(fingerprint="print")
    now += timedelta(seconds=6)
    again = await answers.claim("k", "print", timedelta(seconds=5))
    assert isinstance(again, IdempotencyClaim)
    assert (again.fresh, again.task_id()) == (False, claim.task_id())


async def test_a_key_that_was_claimed_at_no_instant_is_used_anew(
    ledger: Ledger, ledger_url: str
) -> None:
    answers = IdempotencyKeys(ledger, kept=timedelta(days=1), now=lambda: at(0))
    wrong: list[Any] = [2**62, -(2**62)]
    if ledger_url.startswith("sqlite"):
        wrong += ["soon", b"\xff"]
    for value in wrong:
        claim = await answers.claim("k", "print", timedelta(seconds=5))
        assert isinstance(claim, IdempotencyClaim)
        await answers.release(claim)
        of_it = "UPDATE idempotency_keys SET claimed_at = :wrong"
        await ledger.write(partial(execute, sa.text(of_it).bindparams(wrong=value)))
        anew = await answers.claim("k", "print", timedelta(seconds=5))
        assert isinstance(anew, IdempotencyClaim)
        await answers.release(anew)
        again = await answers.claim("k", "print", timedelta(seconds=5))
        assert isinstance(again, IdempotencyClaim)
        assert (again.claimed_at, again.task_id()) == (at(0), anew.task_id())
        await answers.release(again)


async def test_a_parked_message_whose_properties_cannot_be_read_is_shown_without(
    ledger: Ledger,
) -> None:
    row = {
        "digest": "d",
        "received_at": 0,
        "reason": "why",
        "exchange": "",
        "routing_key": "",
        "properties": "{",
        "body": b"body",
    }
    insert = schema.parked.insert().values(row)
    await ledger.write(partial(execute, insert))
    page = await ledger.read(partial(parked_page, after=None, limit=9))
    assert [(one.reason, one.properties) for one in page.messages] == [("why", {})]


async def test_a_key_of_the_tokens_that_is_damaged_is_an_operators_matter(ledger: Ledger) -> None:
    await ledger.secret()
    await spoil(ledger, schema.meta, schema.meta.c.name == "token_secret", value="no hex")
    with pytest.raises(OperatorError, match="set COORDINATOR_SECRET"):
        await ledger.secret()


async def test_a_version_that_is_none_is_an_operators_matter(ledger_url: str) -> None:
    async with Ledger(ledger_url) as ledger:
        await spoil(ledger, schema.meta, schema.meta.c.name == "schema_version", value="two")
    with pytest.raises(OperatorError, match="has the version 'two', which is none"):
        async with Ledger(ledger_url):
            pass
