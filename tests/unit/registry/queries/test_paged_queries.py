"""An agent's tasks, timelines and parked messages, in pages."""

from __future__ import annotations

import pytest
from pydantic_core import from_json

from coordinator.domain.cron.ticks import Missed
from coordinator.domain.dead_filter import DeadFilter
from coordinator.domain.labels.task_labels import LabelFilter
from coordinator.domain.task import State
from coordinator.domain.task_queues import TaskQueues
from coordinator.errors import AgentNotFound, MalformedMessage, ParkedNotFound, TaskNotFound
from coordinator.protocol.message import Message
from coordinator.protocol.messages.events import AttemptError
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.ledger.parked_messages import MessageToPark, park
from coordinator.registry.queries import task_pages
from coordinator.registry.queries.dead_tasks import DeadTasks, dead_cursor
from coordinator.registry.queries.paged_queries import PagedQueries
from coordinator.registry.queries.parked_pages import LONGEST_REASON
from coordinator.registry.queries.registry import Registry
from coordinator.registry.queries.task_filter import ANY_TASK
from coordinator.registry.queries.task_pages import Place, place_of
from coordinator.registry.queries.task_view import JsonText
from coordinator.registry.stores.recurring_schedule import RecurringSchedule
from coordinator.registry.stores.schedules import Schedules
from tests.unit.domain.histories import (
    START,
    at,
    cancelled,
    completed,
    dead_lettered,
    failed,
    message,
    progressed,
    started,
    submitted,
)
from tests.unit.registry.answers import stored
from tests.unit.registry.fleet import Fleet, registered

ANY_STATE = frozenset[State]()


async def nothing_new() -> None:
    """What the ledger does not have by now, it never will."""


@pytest.fixture
def agents() -> Fleet:
    return Fleet()


@pytest.fixture
def registry(ledger: Ledger, agents: Fleet) -> Registry:
    return Registry(
        ledger=ledger, agents=agents, book=TaskQueues(), catch_up=nothing_new, hear=nothing_new
    )


@pytest.fixture
def browsing(ledger: Ledger, registry: Registry, agents: Fleet) -> PagedQueries:
    return PagedQueries(ledger=ledger, agents=agents, registry=registry)


# --- an agent's tasks -------------------------------------------------------------------------


async def all_of(
    browsing: PagedQueries, agent_id: str, states: frozenset[State], limit: int
) -> str:
    found: list[str] = []
    after: tuple[bool, Place | None] | None = None
    while True:
        answer = await browsing.agents_tasks(agent_id, states, after=after, limit=limit)
        assert len(answer.page.tasks) <= limit
        found += [task.task_id for task in answer.page.tasks]
        after = answer.following
        if after is None:
            return "".join(found)


async def test_a_page_of_an_agents_tasks_that_has_none_yet_leads_on(
    ledger: Ledger, registry: Registry, agents: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent is known by its tasks alone, and the newest of them do not match."""
    browsing = PagedQueries(ledger=ledger, agents=agents, registry=registry, looked_at=1)
    wanted = LabelFilter(tags=frozenset({"old"}))
    for number in range(9):
        tags = ("old",) if number == 0 else None
        told = submitted(f"task-{number}", submitted_at=at(number), tags=tags)
        await stored(ledger, told, completed(task_id=f"task-{number}"))
    found: list[list[str]] = []
    after: tuple[bool, Place | None] | None = None
    monkeypatch.setattr(task_pages, "rarest_label", lambda *_: None)
    while not found or after is not None:
        answer = await browsing.agents_tasks("ada", ANY_STATE, after=after, limit=1, labels=wanted)
        found.append([task.task_id for task in answer.page.tasks])
        after = answer.following
    assert found[0] == []
    assert [task_id for page in found for task_id in page] == ["task-0"]


@pytest.mark.parametrize("limit", [1, 2, 3, 200])
async def test_an_agents_tasks_are_those_that_run_and_then_the_others(
    ledger: Ledger, browsing: PagedQueries, limit: int
) -> None:
    for number, task_id in enumerate("abcdef"):
        await stored(ledger, submitted(task_id, submitted_at=at(number)))
        agent = "bob" if task_id == "c" else "ada"
        await stored(ledger, started(agent, task_id=task_id))
    await stored(ledger, completed(task_id="b"), failed(task_id="e"), submitted("waits"))
    assert await all_of(browsing, "ada", ANY_STATE, limit) == "fdaeb"
    assert await all_of(browsing, "ada", frozenset({State.RUNNING}), limit) == "fda"
    assert await all_of(browsing, "ada", frozenset({State.COMPLETED}), limit) == "b"
    assert await all_of(browsing, "bob", ANY_STATE, limit) == "c"


async def test_an_agent_that_was_never_there_is_not_found_and_an_idle_one_has_no_tasks(
    browsing: PagedQueries, agents: Fleet
) -> None:
    with pytest.raises(AgentNotFound):
        await all_of(browsing, "ada", ANY_STATE, 5)
    agents.apply(registered("ada"))
    assert await all_of(browsing, "ada", ANY_STATE, 5) == ""


# --- timelines --------------------------------------------------------------------------------


async def test_a_timeline_tells_every_attempt_in_the_order_of_the_log(
    ledger: Ledger, browsing: PagedQueries, registry: Registry
) -> None:
    await stored(
        ledger,
        submitted(max_attempts=3),
        registered("t"),  # an agent of the same name has a timeline of its own
        started(instance="i1"),
        progressed(0.4, message="page 12 of 30"),
        failed(),
        submitted(attempt=2),
        started("bob", attempt=2),
        completed("bob", attempt=2, result={"words": 40}, duration_seconds=1.5),
        dead_lettered("rejected"),
    )
    registry.note(cancelled())
    told = await browsing.timeline("t", after=None, limit=200)
    assert told.following is None
    assert [(one.type, one.attempt, one.agent_id) for one in told.events] == [
        ("task.submitted", 1, None),
        ("task.started", 1, "ada"),
        ("task.progress", 1, "ada"),
        ("task.failed", 1, "ada"),
        ("task.submitted", 2, None),
        ("task.started", 2, "bob"),
        ("task.completed", 2, "bob"),
        ("task.dead-lettered", 1, None),
        ("task.cancelled", 1, None),
    ]
    assert [one.details for one in told.events] == [
        {"priority": "normal", "max_attempts": 3},
        {"instance": "i1"},
        {"fraction": 0.4, "message": "page 12 of 30"},
        {"error": {"type": "ValueError", "message": "no"}, "retryable": True},
        {"priority": "normal", "max_attempts": 3},
        {},
        {"duration_seconds": 1.5, "result_bytes": 12},
        {"reason": "rejected", "priority": "normal", "max_attempts": 3},
        {"reason": "requested"},
    ]
    assert told.events[0].time == START
    assert all("token" not in str(one) for one in told.events)


async def test_a_long_timeline_comes_in_pages_and_ends_with_what_is_pending(
    ledger: Ledger, browsing: PagedQueries, registry: Registry
) -> None:
    await stored(ledger, submitted(), *(progressed(n / 10) for n in range(7)))
    registry.note(cancelled())
    found, after = [], None
    while True:
        page = await browsing.timeline("t", after=after, limit=3)
        found += [one.type for one in page.events]
        after = page.following
        if after is None:
            break
    assert found == ["task.submitted"] + ["task.progress"] * 7 + ["task.cancelled"]


async def test_a_task_that_was_just_accepted_has_a_timeline(
    browsing: PagedQueries, registry: Registry
) -> None:
    with pytest.raises(TaskNotFound):
        await browsing.timeline("t", after=None, limit=3)
    registry.note_submitted(message())
    told = await browsing.timeline("t", after=None, limit=3)
    assert [one.type for one in told.events] == ["task.submitted"]


# --- parked messages --------------------------------------------------------------------------


async def test_parked_messages_come_latest_first_with_their_beginning_and_each_whole(
    ledger: Ledger, browsing: PagedQueries
) -> None:
    bodies = [b"x" * 1000, b"\xff\x00 garbage", "é".encode() * 300, b""]
    why = MalformedMessage("not a task")
    parked = [
        MessageToPark(
            message=Message(body=body, headers={"n": number}),
            exchange="coordinator.events",
            routing_key="task.ada.started",
            reason=f"{type(why).__name__}: {why}",
            received_at=at(number),
        )
        for number, body in enumerate(bodies)
    ]
    await ledger.write(lambda connection: park(connection, parked))
    first = await browsing.parked(after=None, limit=3)
    rest = await browsing.parked(after=first.following, limit=3)
    assert (first.total, rest.total, rest.following) == (4, 4, None)
    messages = [*first.messages, *rest.messages]
    assert [one.position for one in messages] == [4, 3, 2, 1]
    assert [one.received_at for one in messages] == [at(3), at(2), at(1), at(0)]
    assert [one.size for one in messages] == [0, 600, 10, 1000]
    assert [len(one.body) for one in messages] == [0, 400, 10, 400]
    whole = await browsing.parked_message(1)
    assert (whole.body, whole.properties["headers"]) == (bodies[0], {"n": 0})
    assert whole.reason == "MalformedMessage: not a task"
    for position in (0, 5, 10**18):
        with pytest.raises(ParkedNotFound):
            await browsing.parked_message(position)


# --- what is large ----------------------------------------------------------------------------

MIB = 1024 * 1024


async def three_dead(ledger: Ledger, megabytes: int) -> None:
    """Each with an error of so many."""
    error = AttemptError(type="E", message="x" * megabytes * MIB)
    for number, name in enumerate("abc"):
        await stored(
            ledger,
            submitted(name, max_attempts=1, submitted_at=at(number)),
            started(task_id=name),
            failed(task_id=name, error=error, seconds=10 + number),
        )


async def test_a_page_reads_no_more_than_it_may_and_the_next_one_goes_on_there(
    ledger: Ledger, browsing: PagedQueries
) -> None:
    await three_dead(ledger, 7)
    first = await browsing.tasks(ANY_TASK, after=None, limit=9)
    assert [task.task_id for task in first.tasks] == ["c", "b"]
    assert first.following == place_of(first.tasks[-1])
    second = await browsing.tasks(ANY_TASK, after=first.following, limit=9)
    assert ([task.task_id for task in second.tasks], second.following) == (["a"], None)
    assert await all_of(browsing, "ada", ANY_STATE, 9) == "cba"

    dead = DeadTasks(ledger)
    page = await dead.page(DeadFilter(), limit=9, cursor=None)
    assert [task.task_id for task in page.tasks] == ["c", "b"]
    assert page.next_cursor == dead_cursor(page.tasks[-1])
    rest = await dead.page(DeadFilter(), limit=9, cursor=page.next_cursor)
    assert ([task.task_id for task in rest.tasks], rest.next_cursor) == (["a"], None)


async def test_one_that_alone_is_more_than_a_page_reads_is_a_page(
    ledger: Ledger, browsing: PagedQueries
) -> None:
    await three_dead(ledger, 17)
    page = await browsing.tasks(ANY_TASK, after=None, limit=9)
    assert [task.task_id for task in page.tasks] == ["c"]
    dead = await DeadTasks(ledger).page(DeadFilter(), limit=9, cursor=None)
    assert [task.task_id for task in dead.tasks] == ["c"]
    assert dead.total == 3


async def test_a_timeline_with_large_results_is_read_in_parts_without_them(
    ledger: Ledger, browsing: PagedQueries
) -> None:
    result = ["x" * 7 * MIB]
    await stored(ledger, submitted())
    for attempt in (1, 2, 3):
        await stored(ledger, completed(attempt=attempt, result=result))
    first = await browsing.timeline("t", after=None, limit=9)
    sizes = [one.details.get("result_bytes") for one in first.events]
    assert sizes == [None, 7 * MIB + 4, 7 * MIB + 4]
    assert first.following == first.events[-1].position
    second = await browsing.timeline("t", after=first.following, limit=9)
    assert [one.attempt for one in second.events] == [3]
    assert second.following is None


async def test_a_large_result_is_not_read_and_a_small_one_is(
    ledger: Ledger, registry: Registry
) -> None:
    await stored(ledger, submitted("a"), completed(task_id="a", result={"n": 1}))
    large = {"n": ["x" * 70_000], "duration_seconds": 1}
    await stored(ledger, submitted("b"), completed(task_id="b", result=large))
    assert (await registry.task("a")).result == {"n": 1}
    found = (await registry.task("b")).result
    assert isinstance(found, JsonText)
    assert from_json(found.content) == large


async def test_schedules_with_large_tasks_are_read_in_parts(ledger: Ledger) -> None:
    schedules = Schedules(ledger)
    for name in "abc":
        await schedules.create(
            RecurringSchedule(
                schedule_id=name,
                cron="* * * * *",
                timezone="UTC",
                missed=Missed.SKIP,
                task={"task_data": {"text": "x" * 7 * MIB}},
                created_at=START,
                next_at=None,
            )
        )
    found, more = await schedules.page("", 9)
    assert ([one.schedule_id for one in found], more) == (["a", "b"], True)
    found, more = await schedules.page("b", 9)
    assert ([one.schedule_id for one in found], more) == (["c"], False)


async def test_a_page_of_parked_messages_has_the_beginning_of_each_reason(
    ledger: Ledger, browsing: PagedQueries
) -> None:
    one = MessageToPark(
        message=Message(body=b"body", headers={"n": "x" * 1000}),
        exchange="coordinator.events",
        routing_key="task.ada.started",
        reason="r" * 10_000,
        received_at=START,
    )
    await ledger.write(lambda connection: park(connection, [one]))
    page = await browsing.parked(after=None, limit=9)
    assert len(page.messages[0].reason) == LONGEST_REASON
    assert page.messages[0].properties == {}
    whole = await browsing.parked_message(page.messages[0].position)
    assert len(whole.reason) == 10_000
    assert whole.properties
