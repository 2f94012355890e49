"""A task comes back from its row as it went in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from coordinator.domain.task import Answer, Question, Runner, State, Task
from coordinator.protocol.priority import Priority
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables import schema
from coordinator.registry.tables.bulk_statements import upsert
from coordinator.registry.tables.task_rows import load, row_of

BEGAN = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

BARE = Task(task_id="bare")
FULL = Task(
    task_id="full",
    state=State.WAITING,
    generation=2,
    attempt=3,
    published=4,
    started=5,
    failed=6,
    settled=7,
    runners=(Runner(3, "ada"), Runner(2, "bob")),
    content=8,
    max_attempts=9,
    priority=Priority.HIGH,
    lane="a-lane",
    task_type="a-type",
    backoff={"first_seconds": 1.5},
    expires_at=BEGAN,
    submitted_at=BEGAN + timedelta(seconds=1),
    submission="a-submission",
    agent_id="an-agent",
    first_started_at=BEGAN + timedelta(seconds=2),
    started_at=BEGAN + timedelta(seconds=3),
    ended_at=BEGAN + timedelta(seconds=4),
    progress={"fraction": 0.5},
    error={"type": "an-error", "retryable": True},
    outcome="an-outcome",
    starts=10,
    failures=11,
    submitted_by="key:ada",
    group="a-group",
    tags=("a-tag", "b-tag"),
    metadata=(("a-key", "a-value"),),
    callback={"url": "https://receiver.example/", "events": ["ended"], "secret_ref": "default"},
    released=12,
    question=Question(
        question_id="q",
        question={"question": "go on?", "choices": [None, True]},
        attempt=3,
        agent_id="ada",
        asked_at=BEGAN,
        until=BEGAN + timedelta(seconds=60),
        answer_schema={"type": "string"},
        released=True,
    ),
    answers=(
        Answer("p", "0123", {"a": [1]}, timed_out=False, by="key:ann", at=BEGAN),
        Answer("o", "4567", None, timed_out=True, by=None, at=BEGAN),
    ),
    parent_id="a-parent",
    cancel_with_parent=13,
)


@pytest.mark.parametrize("task", [BARE, FULL], ids=lambda task: task.task_id)
async def test_every_field_of_a_task_comes_back_as_it_went(ledger: Ledger, task: Task) -> None:
    await ledger.write(
        lambda connection: upsert(connection, schema.tasks, ["task_id"], [row_of(task)])
    )
    assert await ledger.read(lambda connection: load(connection, [task.task_id])) == {
        task.task_id: task
    }


def test_no_two_fields_of_the_full_task_could_be_mistaken_for_each_other() -> None:
    assert len(set(map(repr, FULL))) == len(FULL)
