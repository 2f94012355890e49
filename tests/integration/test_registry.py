"""The log folded into the ledger on a real broker: nothing twice, nothing lost, whatever happens."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from coordinator.broker.batch_reader import BatchReader
from coordinator.errors import LedgerBehind, TaskNotFound
from coordinator.protocol.message import Message
from coordinator.protocol.messages.agent_commands import CancelTask, agent_key, decode_command
from coordinator.protocol.messages.event_codec.event_encoding import encode
from coordinator.protocol.messages.events import (
    AttemptError,
    Event,
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
    TaskStarted,
)
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.task_token import task_token
from coordinator.protocol.topology import (
    CONTROL,
    LOG,
    BindingSpec,
    QueueSpec,
    Topology,
)
from coordinator.registry.ledger.database_timeouts import DatabaseTimeouts
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.projection.projector import FoldPace
from coordinator.registry.queries.paged_queries import PagedQueries
from coordinator.registry.queries.task_view import JsonText
from coordinator.registry.tables import schema
from tests.support.broker import Broker
from tests.support.registering import SECRET, SOURCE, RegisteringSide, registering_side
from tests.support.waiting import eventually


@pytest.fixture
def ledger_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.sqlite3'}"


@pytest.fixture
async def side(broker: Broker, ledger_url: str) -> AsyncIterator[RegisteringSide]:
    async with registering_side(broker.url, name=broker.name, ledger_url=ledger_url) as side:
        yield side


def started(task: TaskMessage, agent_id: str = "ada") -> TaskStarted:
    return TaskStarted(task_id=task.task_id, agent_id=agent_id)


def completed(task: TaskMessage, agent_id: str = "ada", token: str | None = None) -> TaskCompleted:
    return TaskCompleted(
        task_id=task.task_id,
        agent_id=agent_id,
        result={"of": task.task_id},
        task_token=token or task.task_token,
    )


def failed(task: TaskMessage, agent_id: str = "ada") -> TaskFailed:
    error = AttemptError(type="ValueError", message="no")
    return TaskFailed(
        task_id=task.task_id, agent_id=agent_id, error=error, task_token=task.task_token
    )


async def reached(side: RegisteringSide, task_id: str, state: str) -> None:
    async def there() -> bool:
        try:
            return (await side.registry.find(task_id)).state == state
        except TaskNotFound:
            return False

    await eventually(there)


async def reasons(ledger: Ledger) -> list[str]:
    query = sa.select(schema.parked.c.reason).order_by(schema.parked.c.position)
    rows = await ledger.read(lambda connection: connection.execute(query).scalars().all())
    return [str(reason).partition(":")[0] for reason in rows]


async def events_of(ledger: Ledger, event_type: str) -> int:
    query = (
        sa.select(sa.func.count())
        .select_from(schema.events)
        .where(schema.events.c.type == event_type)
    )
    return await ledger.read(lambda connection: int(connection.execute(query).scalar_one()))


async def test_a_task_is_followed_from_its_submission_to_its_result(side: RegisteringSide) -> None:
    side.start()
    task = await side.submit("t")
    assert (await side.registry.task("t")).state == "queued"

    await side.say(started(task))
    await reached(side, "t", "running")
    await side.say(completed(task))
    await reached(side, "t", "completed")

    view = await side.registry.task("t")
    assert (view.agent_id, view.result, view.task_data) == ("ada", {"of": "t"}, {"n": 1})
    statistics = await side.registry.statistics()
    assert (statistics.tasks_distributed, statistics.tasks_completed) == (1, 1)
    assert (statistics.total_assignments, statistics.successful_assignments) == (1, 1)


async def test_a_failed_and_a_rejected_task_are_dead(side: RegisteringSide) -> None:
    side.start("projector")
    failing = await side.submit("failing")
    await side.say(started(failing), failed(failing))
    await side.submit("rejected")
    channel = await (await side.connection.opened()).channel()
    for _ in range(2):
        delivery = await channel.get(SOURCE.queue)
        assert delivery is not None
        await (
            delivery.ack() if delivery.message.message_id == "failing.1.1" else delivery.reject()
        )
    await reached(side, "failing", "dead")
    await reached(side, "rejected", "dead")
    error = (await side.registry.task("rejected")).error
    assert error is not None
    assert error["type"] == "Rejected"
    assert (await side.registry.statistics()).tasks_failed == 2


async def test_what_cannot_be_taken_is_parked_with_its_reason_and_stops_nothing(
    side: RegisteringSide,
) -> None:
    side.start("projector")
    task = await side.submit("t")
    await side.publish(Message(body=b"\xff garbage"), "task.ada.started")
    await side.publish(encode(Event(data=started(task, "ada"))), "task.bob.started")
    await side.say(completed(task, token="forged"))
    await side.publisher.publish(Message(body=b"{}", type="task"), exchange="", key=LOG)
    await side.say(started(task))
    await reached(side, "t", "running")
    assert await reasons(side.ledger) == [
        "MalformedMessage",
        "ForgedIdentity",
        "WrongToken",
        "MalformedMessage",
    ]
    assert side.parked_log.count == 4


KEPT = sa.select(
    sa.func.max(schema.parked.c.size), sa.func.max(sa.func.length(schema.parked.c.body))
)


async def test_huge_messages_are_taken_or_parked_and_stop_nothing(side: RegisteringSide) -> None:
    """As large as RabbitMQ 4 takes them by default, and as deep as nobody means."""
    megabytes = 12 * 1024 * 1024
    side.start("projector")
    task = await side.submit("t")
    key = "task.ada.started"
    for body in (b"x" * megabytes, b"[" * megabytes, b'{"task_id":' + b"9" * megabytes + b"}"):
        await side.publish(Message(body=body, type="task.started", message_id="huge"), key)
    odd = {**encode(Event(data=started(task))).headers, "cloudEvents_time": "t" * 100_000}
    await side.publish(Message(body=b'{"task_id": "t", "agent_id": "ada"}', headers=odd), key)
    large = {"text": "y" * megabytes}
    token = task.task_token
    await side.say(
        TaskCompleted(task_id="t", agent_id="ada", result=large, task_token=token),
    )
    await reached(side, "t", "completed")
    result = (await side.registry.task("t")).result
    assert isinstance(result, JsonText), "which is as it stands in the ledger"
    assert json.loads(result.content) == large
    # A time that cannot be read counts as missing: that event is taken.
    assert await reasons(side.ledger) == ["MalformedMessage"] * 3
    query = sa.select(sa.func.max(sa.func.length(schema.parked.c.reason)))
    longest = await side.ledger.read(lambda connection: connection.execute(query).scalar_one())
    assert longest < 2000, "a reason quotes a little of the message"
    kept = await side.ledger.read(lambda connection: connection.execute(KEPT).one())
    assert kept == (megabytes + len(b'{"task_id":}'), 65_536), (
        "and of its body the beginning is kept"
    )


async def test_duplicates_and_disorder_change_nothing(side: RegisteringSide) -> None:
    side.start("projector")
    early, late = Event(data=started_of("t")), Event(data=completed_of("t"))
    for event in (late, early, early, late):
        await side.repeat(event)
    await eventually(lambda: len(side.folded) == 2)
    with pytest.raises(TaskNotFound):
        await side.registry.task("t")
    task = await side.submit("t")
    await side.publisher.publish(task.to_message(), exchange="", key=LOG)
    await side.repeat(late)
    await side.say_together(started(await side.submit("u")), completed(task, "ada"))
    await reached(side, "u", "running")
    assert (await side.registry.task("t")).state == "completed"
    statistics = await side.registry.statistics()
    assert (statistics.tasks_distributed, statistics.tasks_completed) == (2, 1)
    assert statistics.total_assignments == 2


def started_of(task_id: str) -> TaskStarted:
    return TaskStarted(task_id=task_id, agent_id="ada")


def completed_of(task_id: str) -> TaskCompleted:
    token = task_token(SECRET, task_id, 1, 1)
    return TaskCompleted(task_id=task_id, agent_id="ada", task_token=token)


async def test_an_agent_that_starts_an_ended_task_is_told_to_stop(side: RegisteringSide) -> None:
    channel = await (await side.connection.opened()).channel()
    ear = Topology(
        queues=(QueueSpec(name="ear", exclusive=True),),
        bindings=(BindingSpec(exchange=CONTROL, target="ear", key=agent_key("ada")),),
    )
    await channel.declare(ear)
    side.start("projector")
    task = await side.submit("t")
    await side.say(TaskCancelled(task_id="t", reason="requested"))
    await side.say(started(task))
    delivery = await eventually(lambda: channel.get("ear"))
    assert decode_command(delivery.message) == CancelTask(task_id="t", reason="cancelled")


async def test_a_projector_killed_between_commit_and_acknowledgement_folds_nothing_twice(
    side: RegisteringSide, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = asyncio.Event()

    async def never(*_: object) -> None:
        stuck.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patched:
        patched.setattr(BatchReader, "settle", never)
        side.start("projector")
        for number in range(50):
            task = await side.submit(f"task-{number}")
            await side.say(started(task), completed(task))
        await stuck.wait()
        await side.stop("projector")
    assert await events_of(side.ledger, "task.submitted") > 0

    side.start("projector")
    await everything_is_folded(side, broker, tasks=50)


async def test_a_projector_killed_again_and_again_folds_everything_once(
    broker: Broker, ledger_url: str
) -> None:
    """Wherever it is, because batches are small and the kills fall anywhere."""
    async with registering_side(
        broker.url, name=broker.name, ledger_url=ledger_url, pace=FoldPace(batch=7)
    ) as side:
        await killed_again_and_again(side, broker, tasks=100)


async def killed_again_and_again(side: RegisteringSide, broker: Broker, *, tasks: int) -> None:

    async def work() -> None:
        for number in range(tasks):
            task = await side.submit(f"task-{number}")
            await side.say_together(started(task), completed(task))

    working = asyncio.create_task(work())
    kills = 0
    while not working.done() or kills < 5:
        before = len(side.folded)
        side.start("projector")
        await eventually(partial(moved_on, side, before, working))
        await side.stop("projector")
        kills += 1
    await working
    side.start("projector")
    await everything_is_folded(side, broker, tasks=tasks)


def moved_on(side: RegisteringSide, before: int, working: asyncio.Task[None]) -> bool:
    return len(side.folded) > before or working.done()


async def everything_is_folded(side: RegisteringSide, broker: Broker, *, tasks: int) -> None:
    async def settled() -> bool:
        done = (await side.registry.statistics()).tasks_completed == tasks
        return done and await broker.depth(LOG) == 0

    await eventually(settled, timeout=60)
    statistics = await side.registry.statistics()
    assert statistics.tasks_distributed == statistics.total_assignments == tasks
    for event_type in ("task.submitted", "task.started", "task.completed"):
        assert await events_of(side.ledger, event_type) == tasks
    assert await reasons(side.ledger) == []


async def test_another_projector_takes_over_and_only_one_is_active(
    broker: Broker, ledger_url: str
) -> None:
    async with (
        registering_side(broker.url, name="first", ledger_url=ledger_url) as first,
        registering_side(broker.url, name="second", ledger_url=ledger_url) as second,
    ):
        first.start("projector")
        await first.submit("a")
        await eventually(lambda: len(first.folded) == 1)
        second.start("projector")
        await first.submit("b")
        await eventually(lambda: len(first.folded) == 2)
        assert second.folded == []

        await first.stop("projector")
        await first.submit("c")
        await eventually(lambda: len(second.folded) == 1)
        assert (await first.registry.task("c")).state == "queued"
        assert (await first.registry.statistics()).tasks_distributed == 3


async def test_a_task_that_another_coordinator_accepted_is_found_at_once_whoever_projects(
    broker: Broker, ledger_url: str
) -> None:
    async with (
        registering_side(broker.url, name="first", ledger_url=ledger_url) as first,
        registering_side(broker.url, name="second", ledger_url=ledger_url) as second,
    ):
        for side in (first, second):
            side.start("live_reader")
            await eventually(partial(listens, side))
        await nobody_projects(broker, ledger_url)
        first.start("projector")
        for number in range(50):
            for accepting, asking in ((first, second), (second, first)):
                task_id = f"{number}-of-{accepting is first}"
                await accepting.submit(task_id)
                assert (await asking.registry.task(task_id)).state == "queued"
        for side in (first, second):
            missing = (side.registry.task(f"missing-{number}") for number in range(100))
            answers = await asyncio.gather(*missing, return_exceptions=True)
            assert {type(answer) for answer in answers} == {TaskNotFound}
        assert {event.type for event in first.folded} == {"task.submitted"}
        assert await events_of(first.ledger, "ledger.marked") == 0
        assert await reasons(first.ledger) == []


async def nobody_projects(broker: Broker, ledger_url: str) -> None:
    hasty = timedelta(seconds=0.5)
    async with registering_side(
        broker.url, name="hasty", ledger_url=ledger_url, patience=hasty
    ) as side:
        side.start("live_reader")
        with pytest.raises(LedgerBehind, match="behind what was accepted"):
            await side.registry.task("nobody's")


def listens(side: RegisteringSide) -> bool:
    return side.hearing


async def test_whoever_waits_at_any_coordinator_learns_of_an_end_at_once(
    broker: Broker, ledger_url: str
) -> None:
    async with (
        registering_side(broker.url, name="folds", ledger_url=ledger_url) as folds,
        registering_side(broker.url, name="waits", ledger_url=ledger_url) as waits,
    ):
        folds.start()
        waits.start("live_reader")
        await eventually(lambda: waits.hearing)
        browsing = PagedQueries(ledger=waits.ledger, agents=waits.agents, registry=waits.registry)
        for task_id in ("t", "while the link is lost"):
            task = await folds.submit(task_id)
            await reached(folds, task_id, "queued")
            waiting = asyncio.create_task(browsing.wait(task_id, timedelta(seconds=50)))
            await eventually(lambda: len(waits.registry.waiters) == 1)
            if task_id != "t":
                await waits.stop("live_reader")
            await folds.say(started(task), completed(task))
            await reached(folds, task_id, "completed")
            if task_id != "t":
                assert not waiting.done()
                waits.start("live_reader")
            async with asyncio.timeout(20):
                assert (await waiting).result == {"of": task_id}


async def test_a_locked_database_is_waited_for(broker: Broker, ledger_url: str) -> None:
    async with registering_side(
        broker.url, name=broker.name, ledger_url=ledger_url, timeouts=DatabaseTimeouts(lock=0.05)
    ) as side:
        other = sqlite3.connect(ledger_url.removeprefix("sqlite:///"), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        side.start("projector")
        task = await side.submit("t")
        await side.say(started(task), completed(task))
        await eventually(lambda: side.projector.problem)
        assert (await side.registry.task("t")).state == "queued"
        other.rollback()
        other.close()
        await reached(side, "t", "completed")
        assert side.projector.problem is None


async def test_a_restart_gives_the_same_answers(broker: Broker, ledger_url: str) -> None:
    async with registering_side(broker.url, name="before", ledger_url=ledger_url) as before:
        before.start("projector")
        done, dead = await before.submit("done"), await before.submit("dead")
        await before.submit("waiting")
        await before.say(started(done), started(dead), completed(done), failed(dead))
        await reached(before, "dead", "dead")
        answers = [await before.registry.task(one) for one in ("done", "dead", "waiting")]
        statistics = await before.registry.statistics()
    async with registering_side(broker.url, name="after", ledger_url=ledger_url) as after:
        assert [await after.registry.task(one) for one in ("done", "dead", "waiting")] == answers
        assert await after.registry.statistics() == statistics
