"""How each database goes about the questions that are asked often: by an index, however many tasks have
ended.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.dead_filter import DeadFilter
from coordinator.domain.labels.task_labels import LabelFilter
from coordinator.domain.task import State, Task
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.queries import task_pages
from coordinator.registry.queries.dead_tasks import _page
from coordinator.registry.queries.queue_statistics import oldest_waiting
from coordinator.registry.queries.task_filter import ANY_TASK, TaskFilter
from coordinator.registry.queries.task_pages import Place, page_of
from coordinator.registry.stores import group_tasks
from coordinator.registry.stores.turn_rows import TurnLook
from coordinator.registry.tables.dead_task_selection import dead_after
from coordinator.registry.upkeep import retention
from coordinator.registry.upkeep.idle_task_queues import _standing
from coordinator.registry.upkeep.ledger_backlog import ledger_backlog
from coordinator.registry.upkeep.overdue_tasks import overdue
from tests.unit.registry.answers import stored
from tests.unit.registry.many_tasks import ENDED, fill, plan
from tests.unit.registry.queries.test_task_pages import opened

LONG_AGO = datetime(1971, 1, 1, tzinfo=UTC)
GPU = Requirements(capabilities=("gpu",))

RARE = LabelFilter(tags=frozenset({"rare"}))
COMMON = LabelFilter(tags=frozenset({"common"}))

Question = Callable[[Connection], object]


def page(wanted: TaskFilter, after: Place | None = None) -> Question:
    return partial(page_of, wanted=wanted, after=after, limit=50)


QUESTIONS: dict[str, tuple[Question, str]] = {
    "the newest tasks": (page(ANY_TASK), "tasks_by_submission"),
    "tasks far down": (page(ANY_TASK, Place(1000 * ENDED // 2, "t")), "tasks_by_submission"),
    "of a state": (page(TaskFilter(states=frozenset({State.QUEUED}))), "tasks_by_state"),
    "of states": (
        page(TaskFilter(states=frozenset({State.DEAD, State.RUNNING}))),
        "tasks_by_state",
    ),
    "of a priority": (
        page(TaskFilter(priorities=frozenset({Priority.LOW, Priority.HIGH}))),
        "tasks_by_priority",
    ),
    "of a type": (page(TaskFilter(task_type="type-3")), "tasks_by_type"),
    "of an agent": (page(TaskFilter(agent_id="agent-7")), "tasks_by_agent"),
    "of a caller": (page(TaskFilter(submitted_by="key:ci")), "tasks_by_submitter"),
    "of a caller and a state": (
        page(TaskFilter(submitted_by="key:ci", states=frozenset({State.COMPLETED}))),
        "tasks_by_submitter",
    ),
    "of a parent": (page(TaskFilter(parent_id="task-3")), "tasks_by_parent"),
    "of a parent and much more": (
        page(
            TaskFilter(
                parent_id="task-3",
                states=frozenset({State.DEAD, State.QUEUED}),
                task_type="type-3",
                agent_id="agent-7",
            )
        ),
        "tasks_by_parent",
    ),
    "of a group": (page(TaskFilter(labels=LabelFilter(group="group-3"))), "tasks_by_group"),
    "of a group and a state": (
        page(
            TaskFilter(
                labels=LabelFilter(group="group-3"),
                states=frozenset({State.DEAD}),
                submitted_by="key:ci",
            )
        ),
        "tasks_by_group",
    ),
    "of a group and going on": (
        partial(group_tasks._going_on, (LabelFilter(group="group-3"), "key:ci")),
        "tasks_by_group",
    ),
    "of a group and to be cancelled": (
        partial(
            group_tasks._take,
            (LabelFilter(group="group-3"), None),
            Task(task_id="t", submitted_at=LONG_AGO),
            50,
            TurnLook(now=LONG_AGO),
            lambda task: task.task_id,
        ),
        "tasks_by_group",
    ),
    "of a rare tag": (
        page(TaskFilter(labels=RARE, states=frozenset({State.COMPLETED}), task_type="type-3")),
        "task_labels",
    ),
    "of a rare type, in whatever state": (
        page(TaskFilter(task_type="type-3", states=frozenset({State.DEAD, State.QUEUED}))),
        "tasks_by_type",
    ),
    "the dead by error": (partial(_page, DeadFilter(), 50, None), "tasks_dead"),
    "the dead of an error, a type and a lane": (
        partial(_page, DeadFilter(error_type="KeyError", task_type="type-3", lane="any"), 50, None),
        "tasks_dead",
    ),
    "the dead of a rare tag": (partial(_page, DeadFilter(labels=RARE), 50, None), "task_labels"),
    "the dead that would be redriven": (
        partial(dead_after, wanted=DeadFilter(), after=None, most=50),
        "tasks_dead",
    ),
    "of a common tag": (page(TaskFilter(labels=COMMON)), "task_labels"),
    "of a requirement": (
        page(TaskFilter(capabilities=frozenset({"gpu"}))),
        "tasks_by_lane",
    ),
    "in between": (
        page(TaskFilter(since=datetime.fromtimestamp(3, UTC), until=LONG_AGO)),
        "tasks_by_submission",
    ),
    "the oldest that waits": (oldest_waiting, "tasks_queued"),
    "whether a queue is used": (
        partial(_standing, TaskQueue("cap:gpu", Priority.LOW)),
        "tasks_",
    ),
    "past their deadline": (partial(overdue, LONG_AGO, 100), "tasks_by_deadline"),
    "that wait for people": (partial(ledger_backlog, LONG_AGO), "tasks_by_state"),
    "old enough to be forgotten": (
        partial(retention._ended_before, {State.COMPLETED: 10**6}, 0),
        "tasks_by_end",
    ),
    "of which nothing is known": (
        partial(retention._stubs_before, 10**6, 10**6),
        "tasks_without_content",
    ),
}


@contextmanager
def explained(connection: Connection) -> Iterator[list[str]]:
    """How every statement on tasks is gone about, as it is asked."""
    plans: list[str] = []

    def explain(*event: Any) -> None:
        statement, parameters = event[2], event[3]
        if statement.startswith(("SELECT", "WITH")) and "tasks" in statement:
            plans.append(plan(connection, statement, parameters))

    sa.event.listen(connection, "before_cursor_execute", explain)
    yield plans
    sa.event.remove(connection, "before_cursor_execute", explain)


async def test_each_question_is_led_by_an_index(ledger: Ledger, ledger_url: str) -> None:
    await stored(ledger, *opened(GPU))  # of the other lane it is asked what its tasks require
    await ledger.write(fill)

    def ask(question: Question, connection: Connection) -> list[str]:
        with explained(connection) as plans:
            question(connection)
        return plans

    async with Ledger(ledger_url) as asked:  # SQLite reads statistics when a connection is opened
        plans_of = {
            name: await asked.read(partial(ask, question))
            for name, (question, _) in QUESTIONS.items()
        }
    for name, plans in plans_of.items():
        index = QUESTIONS[name][1]
        assert index in "\n".join(plans), (name, plans)
        for one in plans:
            assert not re.search(r"Seq Scan on tasks|SCAN tasks(?! USING)", one), (name, one)
            if "tasks_by_submission" in one or index.startswith("tasks_by_"):
                assert "TEMP B-TREE FOR ORDER BY" not in one, (name, one)


# --- how much work it is ----------------------------------------------------------------------

STEPS = 100
"""Of SQLite's machine, between two calls of its progress handler."""


def steps_of(question: Question, connection: Connection) -> int:
    """How much work a question is to SQLite: the same on every machine."""
    driver: Any = connection.connection.driver_connection
    calls = itertools.count()
    driver.set_progress_handler(lambda: int(next(calls) < 0), STEPS)
    try:
        question(connection)
    finally:
        driver.set_progress_handler(None, STEPS)
    return next(calls) * STEPS


async def test_filters_that_no_task_has_together_are_sifted_from_a_bounded_number_of_tasks(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No task has both of the tags, each of which is as if thousands had it."""
    monkeypatch.setattr(task_pages, "rarest_label", lambda *_: None)
    both = TaskFilter(labels=LabelFilter(tags=COMMON.tags | RARE.tags))
    ask = partial(page_of, wanted=both, after=None, limit=50, looked_at=60)
    async with Ledger(sqlite_url) as ledger:
        await ledger.write(fill)
        steps = await ledger.read(partial(steps_of, ask))
        found = await ledger.read(ask)
    assert 0 < steps < 20_000
    assert (found.tasks, found.following is None) == ([], False)


async def test_dead_tasks_are_counted_by_an_index_alone(sqlite_url: str) -> None:
    """Of each of them a row would be read otherwise, for every look at the dashboard's first page."""
    async with Ledger(sqlite_url) as ledger:
        await ledger.write(fill)
        wanted = DeadFilter(error_type="KeyError", task_type="type-3", lane="any")

        def ask(connection: Connection) -> list[str]:
            with explained(connection) as plans:
                _page(wanted, 50, None, connection)
            return plans

        counting = (await ledger.read(ask))[0]
        assert "USING COVERING INDEX tasks_dead" in counting, counting
