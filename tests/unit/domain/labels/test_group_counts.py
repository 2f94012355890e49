"""The counts of a group are what a recount of its tasks gives, whatever happens in whatever order."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.labels.group_counts import GroupCell, GroupCounts, counted_changes
from coordinator.domain.task import State, Task
from coordinator.domain.transitions.fold import fold
from coordinator.protocol.messages.events import Event, TaskSubmitted
from tests.unit.domain.histories import RULES, all_events, completed, submitted

GROUPS = {"t": "g", "u": "g", "v": "h", "w": None}
OWNERS = {"t": "key:ada", "u": None, "v": "key:ada", "w": "key:ada"}


def grouped(event: Event) -> Event:
    """With the group of its task, where it is the task's message."""
    data: Any = event.data
    task_id = data.task_id
    if not isinstance(data, TaskSubmitted):
        return event
    words = {"group": GROUPS[task_id], "submitted_by": OWNERS[task_id]}
    task = data.task.model_copy(update=words)
    return replace(event, data=data.model_copy(update={"task": task}))


def recount(tasks: dict[str, Task]) -> dict[GroupCell, int]:
    return dict(
        Counter(
            GroupCell(task.group, task.submitted_by or "", task.state.value)
            for task in tasks.values()
            if task.known and task.group is not None
        )
    )


@given(st.lists(all_events(st.sampled_from(sorted(GROUPS))), max_size=40), st.integers(1, 7))
def test_the_counts_are_those_of_a_recount_after_any_events(
    events: list[Event], batch: int
) -> None:
    tasks: dict[str, Task] = {}
    counts: Counter[GroupCell] = Counter()
    for start in range(0, len(events), batch):
        before = dict(tasks)
        for event in map(grouped, events[start : start + batch]):
            task_id = event.data.subject
            tasks[task_id] = fold(tasks.get(task_id), event, RULES).task
        counts.update(counted_changes([(before.get(one), task) for one, task in tasks.items()]))
        assert {cell: count for cell, count in counts.items() if count} == recount(tasks)
    counts.update(counted_changes([(task, None) for task in tasks.values()]))
    assert not any(counts.values())


def test_what_is_told_before_the_task_itself_counts_nowhere() -> None:
    task = fold(None, completed(), RULES).task
    assert counted_changes([(None, task)]) == {}
    known = fold(task, submitted(group="g"), RULES).task
    assert counted_changes([(task, known)]) == {GroupCell("g", "", "completed"): 1}


def test_a_redrive_is_told_of_before_its_message_and_the_task_stays_in_its_group() -> None:
    task = fold(None, submitted(group="g", tags=("a",), submitted_by="key:ada"), RULES).task
    again = fold(task, completed(generation=2), RULES).task
    assert (again.group, again.tags, again.submitted_by) == ("g", ("a",), "key:ada")


def test_progress_is_the_part_that_has_ended() -> None:
    found = GroupCounts.of("g", {"completed": 1, "dead": 1, "queued": 2})
    assert (found.total, found.ended, found.progress) == (4, 2, 0.5)
    assert found.counts[State.EXPIRED] == 0
    assert GroupCounts.of("g", {}).progress == 0
