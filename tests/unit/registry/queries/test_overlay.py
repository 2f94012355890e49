"""What a process has submitted is read from memory until it is folded, as it will be read from the log."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from coordinator.protocol.messages.new_task import NewTask
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.registry.queries.overlay import Overlay
from tests.support.decoding import decode

TASK = NewTask(
    task_id="t",
    max_attempts=3,
    task_data={"n": 1},
    priority=Priority.HIGH,
    wanted=Requirements(capabilities=("gpu",)),
    submitted_at=datetime(2026, 1, 2, tzinfo=UTC),
    task_token="token",
    timeout_seconds=5,
)


@pytest.mark.parametrize(
    "task", [TASK, TASK._replace(not_before=datetime(2026, 1, 3, tzinfo=UTC))], ids=["now", "later"]
)
def test_a_submission_reads_as_its_message_in_the_log(task: NewTask) -> None:
    overlay = Overlay()
    overlay.add_submission(task)
    assert overlay.of("t") == decode(task.to_message(), task.source.key)
    assert overlay.all() == overlay.of("t")
    assert set(overlay.ids()) == {task.message_id}


@pytest.mark.parametrize("folded_first", [True, False])
def test_a_submission_that_was_folded_is_kept_no_more(folded_first: bool) -> None:
    """The log may be folded before the confirm is seen here."""
    overlay = Overlay()
    if not folded_first:
        overlay.add_submission(TASK)
    overlay.folded([TASK.message_id])
    if folded_first:
        overlay.add_submission(TASK)
    assert (overlay.all(), overlay.of("t")) == ([], [])


def test_beyond_its_bound_the_oldest_submission_is_forgotten() -> None:
    overlay = Overlay(2)
    for task_id in ("a", "b", "c"):
        overlay.add_submission(TASK._replace(task_id=task_id))
    assert [event.data.subject for event in overlay.all()] == ["b", "c"]
    assert overlay.of("a") == []
