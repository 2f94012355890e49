"""Pages of tasks: complete, in order, the same whatever leads, and always by an index."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.task import State, Task
from coordinator.domain.transitions.fold import fold
from coordinator.protocol.lanes import lane_name
from coordinator.protocol.messages.events import Event, SourceOpened, TaskSubmitted
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.queries.task_filter import ANY_TASK, TaskFilter
from coordinator.registry.queries.task_page_sql import PageLookup, Place, lanes_of_tasks
from coordinator.registry.queries.task_pages import page_of
from tests.unit.domain.histories import RULES, at, cancelled, completed, failed, started, submitted
from tests.unit.registry.answers import stored

WANTED = (
    Requirements(),
    Requirements(capabilities=("gpu",)),
    Requirements(agent_type="worker", capabilities=("gpu", "vision"), services=("documents",)),
    Requirements(agent_type="worker"),
    Requirements(services=("documents", *(f"{number}-{'x' * 40}" for number in range(9)))),
)
"""The last has a lane whose name is too long to hold it all."""

FILTERS = {
    "all": ANY_TASK,
    "one state": TaskFilter(states=frozenset({State.RUNNING})),
    "states": TaskFilter(states=frozenset({State.QUEUED, State.CANCELLED})),
    "completed and more": TaskFilter(states=frozenset({State.COMPLETED, State.QUEUED})),
    "priorities": TaskFilter(priorities=frozenset({Priority.LOW, Priority.URGENT})),
    "agent": TaskFilter(agent_id="ada"),
    "agent and states": TaskFilter(agent_id="bob", states=frozenset({State.COMPLETED})),
    "type": TaskFilter(task_type="count"),
    "capability": TaskFilter(capabilities=frozenset({"gpu"})),
    "service": TaskFilter(services=frozenset({"documents"})),
    "agent type": TaskFilter(agent_type="worker"),
    "since": TaskFilter(since=at(20)),
    "until": TaskFilter(until=at(20)),
    "between": TaskFilter(since=at(10), until=at(30)),
    "much at once": TaskFilter(
        states=frozenset({State.COMPLETED, State.RUNNING}),
        priorities=frozenset({Priority.NORMAL, Priority.LOW}),
        capabilities=frozenset({"gpu"}),
        until=at(50),
    ),
    "caller": TaskFilter(submitted_by="key:ci"),
    "caller and more": TaskFilter(
        submitted_by="key:shop",
        agent_id="ada",
        task_type="draw",
        states=frozenset({State.COMPLETED, State.DEAD}),
        capabilities=frozenset({"gpu"}),
    ),
    "parent": TaskFilter(parent_id="task-001"),
    "parent and more": TaskFilter(
        parent_id="task-002",
        submitted_by="key:ci",
        states=frozenset({State.QUEUED, State.COMPLETED}),
        capabilities=frozenset({"gpu"}),
    ),
    "nobody's requirement": TaskFilter(capabilities=frozenset({"flight"})),
}


def opened(wanted: Requirements) -> list[Event]:
    return [
        Event(
            data=SourceOpened(
                lane=lane_name(wanted), priority=priority, requirements=wanted.as_dict()
            )
        )
        for priority in Priority
    ]


def histories(count: int) -> list[list[Event]]:
    """Of tasks of all kinds in a known disorder; some were submitted in the same instant."""
    chance = random.Random(7)
    found = []
    for number in range(count):
        task_id = f"task-{number:03}"
        priority = chance.choice(list(Priority))
        wanted = chance.choice(WANTED)
        events = [
            submitted(
                task_id,
                priority=priority,
                requirements=wanted.as_dict(),
                task_data={"task_type": chance.choice(["count", "draw"])},
                submitted_at=at(chance.randrange(40)),
                max_attempts=chance.choice([1, 3]),
                submitted_by=chance.choice(["key:ci", "key:shop", None]),
                parent_id=chance.choice(["task-001", "task-002", None]),
            )
        ]
        agent = chance.choice(["ada", "bob"])
        what = chance.choice([started, completed, failed, cancelled, None])
        if what in (started, completed, failed):
            events.append(started(agent, task_id=task_id))
        if what in (completed, failed):
            events.append(what(agent, task_id=task_id))
        if what is cancelled:
            events.append(cancelled(task_id=task_id))
        found.append(events)
    return found


def expected(events: Sequence[Event], wanted: TaskFilter) -> list[str]:
    """The ids, worked out without SQL."""
    tasks: dict[str, Task] = {}
    asked: dict[str, Requirements] = {}
    for event in events:
        task_id = event.data.subject
        tasks[task_id] = fold(tasks.get(task_id), event, RULES).task
        if isinstance(event.data, TaskSubmitted):
            asked[task_id] = event.data.task.wanted
    found = [task for task in tasks.values() if wanted.admits(task, asked[task.task_id])]
    found.sort(key=lambda task: (task.submitted_at, task.task_id), reverse=True)
    return [task.task_id for task in found]


async def all_pages(ledger: Ledger, wanted: TaskFilter, limit: int, **more: Any) -> list[str]:
    found: list[str] = []
    after: Place | None = None
    while True:
        ask = partial(page_of, wanted=wanted, after=after, limit=limit, **more)
        page = await ledger.read(ask)
        assert len(page.tasks) <= limit
        found += [task.task_id for task in page.tasks]
        after = page.following
        if after is None:
            return found
        assert len(page.tasks) == limit


async def test_pages_together_hold_each_task_that_matches_once_and_newest_first(
    ledger: Ledger,
) -> None:
    told = [event for history in histories(60) for event in history]
    await stored(ledger, *(event for wanted in WANTED for event in opened(wanted)), *told)
    for name, wanted in FILTERS.items():
        right = expected(told, wanted)
        assert right or name == "nobody's requirement"
        assert await all_pages(ledger, wanted, 7) == right, name
    assert await all_pages(ledger, ANY_TASK, 1) == expected(told, ANY_TASK)


async def test_what_was_accepted_and_is_not_folded_yet_is_in_its_place(ledger: Ledger) -> None:
    """Some tasks are wholly pending, and of some others the end is. Of most lanes the ledger does
    not know what they ask, as where they are retired.
    """
    folded: list[Event] = []
    pending: list[Event] = []
    for number, history in enumerate(histories(60)):
        kept = len(history) if number % 4 == 0 else number % 2
        folded += history[:kept]
        # The overlay has what coordinators say, never what agents do.
        pending += [event for event in history[kept:] if event.data.author is None]
    await stored(ledger, *opened(WANTED[1]), *folded)
    for name, wanted in FILTERS.items():
        right = expected([*folded, *pending], wanted)
        found = await all_pages(ledger, wanted, 9, pending=[*pending, *folded[:5]])
        assert found == right, name


async def test_pages_that_are_sifted_from_few_tasks_go_on_until_all_were_looked_at(
    ledger: Ledger,
) -> None:
    """Some are short, some are empty, and none has a task twice; also of what is not folded yet."""
    folded: list[Event] = []
    pending: list[Event] = []
    for number, history in enumerate(histories(90)):
        kept = len(history) if number % 3 else number % 2
        folded += history[:kept]
        pending += [event for event in history[kept:] if event.data.author is None]
    await stored(ledger, *(event for wanted in WANTED for event in opened(wanted)), *folded)
    sizes: list[int] = []
    for name, wanted in FILTERS.items():
        found: list[str] = []
        after: Place | None = None
        while True:
            ask = partial(
                page_of, wanted=wanted, after=after, limit=2, pending=pending, looked_at=1
            )
            page = await ledger.read(ask)
            found += [task.task_id for task in page.tasks]
            if page.following is None:
                break
            assert after is None or page.following < after
            after = page.following
            sizes.append(len(page.tasks))
        assert found == expected([*folded, *pending], wanted), name
    assert set(sizes) == {0, 1, 2}


async def test_a_page_does_not_shift_when_tasks_arrive(ledger: Ledger) -> None:
    await stored(ledger, *(submitted(f"old-{n}", submitted_at=at(n)) for n in range(6)))
    first = await ledger.read(partial(page_of, wanted=ANY_TASK, after=None, limit=3))
    await stored(ledger, *(submitted(f"new-{n}", submitted_at=at(100 + n)) for n in range(5)))
    second = await ledger.read(partial(page_of, wanted=ANY_TASK, after=first.following, limit=3))
    ids = [task.task_id for page in (first, second) for task in page.tasks]
    assert ids == [f"old-{n}" for n in range(5, -1, -1)]
    assert second.following is None


async def test_a_task_is_summed_up_with_its_requirements(ledger: Ledger) -> None:
    """Of its lane; and of its own message, where the lane is not known."""
    gpu, vision = Requirements(capabilities=("gpu",)), Requirements(capabilities=("vision",))
    await stored(
        ledger,
        *opened(gpu),
        submitted("a", requirements=gpu.as_dict(), submitted_at=at(1)),
        submitted("b", requirements=vision.as_dict()),
        started(task_id="b"),
        failed(task_id="b"),
        started(task_id="nobody-submitted-this"),
    )
    a, b = (await ledger.read(partial(page_of, wanted=ANY_TASK, after=None, limit=9))).tasks
    assert (a.task_id, a.state, a.requirements, a.lane) == (
        "a",
        "queued",
        gpu.as_dict(),
        lane_name(gpu),
    )
    assert (b.requirements, b.state, b.agent_id, b.max_attempts) == (
        vision.as_dict(),
        "waiting",
        "ada",
        3,
    )
    assert b.error is not None
    assert (b.error["type"], b.task_type, b.submitted_at) == ("ValueError", "no-op", at(0))


# --- how the database goes about it -----------------------------------------------------------

LEADING = {
    "all": "tasks_by_submission",
    "one state": "tasks_by_state",
    "states": "tasks_by_state",
    "completed and more": "tasks_by_state",
    "priorities": "tasks_by_priority",
    "agent": "tasks_by_agent",
    "agent and states": "tasks_by_agent",
    "type": "tasks_by_type",
    "capability": "tasks_by_lane",
    "service": "tasks_by_lane",
    "agent type": "tasks_by_lane",
    "since": "tasks_by_submission",
    "until": "tasks_by_submission",
    "between": "tasks_by_submission",
    "much at once": None,
}
"""Where several may lead, any one will do."""


def plans(connection: Connection, wanted: TaskFilter, after: Place | None) -> list[str]:
    lanes = ["cap:gpu", "any"] if wanted.asks_for_requirements else None
    found = []
    lookup = PageLookup(wanted, lanes)
    for query in (lookup.places(after, 51), lookup.floor(after, 51)):
        for one in lookup.leading:
            sql = query.params(one).compile(
                connection, compile_kwargs={"render_postcompile": True, "literal_binds": True}
            )
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}").all()
            found += [str(row.detail) for row in rows]
    return found


@pytest.mark.parametrize("analyzed", [False, True], ids=["no statistics", "statistics"])
async def test_every_filter_is_led_by_an_index_that_has_the_order_too(
    sqlite_url: str, analyzed: bool
) -> None:
    async with Ledger(sqlite_url) as ledger:
        if analyzed:
            told = [event for history in histories(200) for event in history]
            await stored(ledger, *told)
            await ledger.write(lambda connection: connection.execute(sa.text("ANALYZE")))
        for name, index in LEADING.items():
            for after in (None, Place(10**15, "t")):
                details = await ledger.read(partial(plans, wanted=FILTERS[name], after=after))
                assert details
                for detail in details:
                    assert re.match("SEARCH tasks USING (COVERING )?INDEX tasks_by_", detail), (
                        name,
                        detail,
                    )
                    assert index is None or f" {index} " in detail, (name, detail)
                    # Where the page begins is looked up, not counted to.
                    assert "submitted_at" in detail, (name, detail)


async def test_lanes_are_found_without_reading_their_tasks(sqlite_url: str) -> None:
    async with Ledger(sqlite_url) as ledger:

        def details(connection: Connection) -> list[str]:
            sql = lanes_of_tasks().compile(connection)
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}").all()
            return [str(row.detail) for row in rows if "tasks" in row.detail]

        for detail in await ledger.read(details):
            assert detail.startswith("SEARCH tasks"), detail
            assert "tasks_by_lane" in detail


async def test_what_is_indexed_and_stays_is_not_written_again(ledger: Ledger) -> None:
    """Or each change of state would write four indexes anew."""
    await stored(ledger, submitted(submitted_at=at(5)))

    def plan(connection: Connection) -> dict[str, Any]:
        connection.execute(sa.text("UPDATE tasks SET lane = 'changed'"))
        return {}

    await ledger.write(plan)
    await stored(ledger, started(seconds=6), completed(seconds=7))
    (task,) = (await ledger.read(partial(page_of, wanted=ANY_TASK, after=None, limit=9))).tasks
    assert (task.lane, task.state, task.ended_at) == ("changed", "completed", at(7))


async def test_a_redriven_task_has_the_content_of_its_new_message(ledger: Ledger) -> None:
    await stored(ledger, submitted(max_attempts=1), started(), failed())
    later = at(0) + timedelta(hours=1)
    again = submitted(generation=2, priority=Priority.URGENT, submitted_at=later)
    await stored(ledger, again)
    (task,) = (await ledger.read(partial(page_of, wanted=ANY_TASK, after=None, limit=9))).tasks
    assert (task.priority, task.generation) == (Priority.URGENT, 2)
    assert (task.submitted_at, task.state) == (later, "queued")
