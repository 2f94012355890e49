"""Converts tasks to rows of the table `tasks` and back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from operator import itemgetter
from types import NoneType
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy.engine import Connection, Row

from coordinator.domain.task import Answer, Question, Runner, State, Task
from coordinator.protocol.priority import Priority

from .bulk_statements import find
from .schema import from_micros, micros
from .schema import tasks as table
from .storable_text import storable
from .unreadable_rows import readable

__all__ = [
    "MOVING",
    "has_content_of",
    "labels_in",
    "load",
    "load_readable",
    "row_of",
    "task_of",
    "tasks_of",
]

_CONTENT = (
    *("content", "priority", "lane", "task_type", "submitted_at", "submitted_by"),
    *("group_id", "labels", "callback", "parent_id", "cancel_with_parent"),
)

MOVING = tuple(name for name in table.c.keys() if name not in ("task_id", *_CONTENT))  # noqa: SIM118
"""The columns that change while a task's content stays. The others have indexes, which would be
written anew with each change of state."""


def has_content_of(task: Task, before: Task | None) -> bool:
    """Whether only `MOVING` columns may differ: its lane changes once, where its type gets one."""
    return before is not None and task.content == before.content and task.lane == before.lane


def load(connection: Connection, task_ids: Iterable[str]) -> dict[str, Task]:
    """Those of the tasks that the ledger has, by id. Raises for one that cannot be read: what is
    folded into it would make it another.
    """
    rows = find(connection, tuple(table.c), table.c.task_id, task_ids)
    return {row.task_id: task_of(row) for row in rows}


def load_readable(
    connection: Connection, task_ids: Iterable[str]
) -> tuple[dict[str, Task], set[str]]:
    """Those that the ledger has and that can be read, by id; and the ids of those that cannot be."""
    rows = find(connection, tuple(table.c), table.c.task_id, task_ids)
    tasks = {task.task_id: task for task in tasks_of(rows)}
    return tasks, {row.task_id for row in rows} - tasks.keys()


def tasks_of(rows: Iterable[Row[Any]]) -> list[Task]:
    """Those that can be read."""
    return list(readable(rows, task_of, table))


def row_of(task: Task) -> dict[str, Any]:
    """The columns of its row, by name."""
    return {
        "task_id": task.task_id,
        "state": task.state.value,
        "generation": task.generation,
        "attempt": task.attempt,
        "published": task.published,
        "started": task.started,
        "failed": task.failed,
        "settled": task.settled,
        "runners": _text([[one.attempt, one.agent_id] for one in task.runners] or None),
        "content": task.content,
        "max_attempts": task.max_attempts,
        "priority": None if task.priority is None else task.priority.value,
        "lane": task.lane,
        "task_type": None if task.task_type is None else storable(task.task_type),
        "backoff": _text(task.backoff),
        "expires_at": _micros(task.expires_at),
        "submitted_at": _micros(task.submitted_at),
        "submission": task.submission,
        "agent_id": task.agent_id,
        "first_started_at": _micros(task.first_started_at),
        "started_at": _micros(task.started_at),
        "ended_at": _micros(task.ended_at),
        "progress": _text(task.progress),
        "error": _text(task.error),
        "error_type": _error_type(task.error),
        "outcome": task.outcome,
        "starts": task.starts,
        "failures": task.failures,
        "submitted_by": task.submitted_by,
        "group_id": task.group,
        "labels": _labels_text(task) if task.tags or task.metadata else None,
        "callback": _text(task.callback),
        "released": task.released,
        "question": _text(None if task.question is None else task.question._asdict()),
        "answer_by": None if task.question is None else _micros(task.question.answer_by),
        "answers": _text([one._asdict() for one in task.answers] or None),
        "parent_id": None if task.parent_id is None else storable(task.parent_id),
        "cancel_with_parent": task.cancel_with_parent,
    }


def task_of(row: Row[Any]) -> Task:
    """``row`` has the columns of the table and no others. Raises one of `unreadable_rows.NOT_READ`."""
    # To look for each column in a row of SQLAlchemy would take longer than all the rest.
    told = dict(zip(_COLUMNS, row, strict=True))
    tags, metadata = _NONE if told["labels"] is None else labels_in(told["labels"])
    if not _COUNTS.issuperset(map(type, _counts_of(told))):
        raise TypeError("a count of it is no number")
    if not isinstance(told["task_id"], str):
        raise TypeError("its id is no text")
    return Task(
        task_id=told["task_id"],
        state=State(told["state"]),
        generation=told["generation"],
        attempt=told["attempt"],
        published=told["published"],
        started=told["started"],
        failed=told["failed"],
        settled=told["settled"],
        runners=tuple(Runner(*one) for one in _value(told["runners"]) or ()),
        content=told["content"],
        max_attempts=told["max_attempts"],
        priority=None if told["priority"] is None else Priority(told["priority"]),
        lane=told["lane"],
        task_type=told["task_type"],
        backoff=_value(told["backoff"]),
        expires_at=_instant(told["expires_at"]),
        submitted_at=_instant(told["submitted_at"]),
        submission=told["submission"],
        agent_id=told["agent_id"],
        first_started_at=_instant(told["first_started_at"]),
        started_at=_instant(told["started_at"]),
        ended_at=_instant(told["ended_at"]),
        progress=_value(told["progress"]),
        error=_value(told["error"]),
        outcome=told["outcome"],
        starts=told["starts"],
        failures=told["failures"],
        submitted_by=told["submitted_by"],
        group=told["group_id"],
        tags=tags,
        metadata=metadata,
        callback=_value(told["callback"]),
        released=told["released"],
        question=_question(told["question"]),
        answers=tuple(map(_answer, _value(told["answers"]) or ())),
        parent_id=told["parent_id"],
        cancel_with_parent=told["cancel_with_parent"],
    )


_COLUMNS = tuple(table.c.keys())

_counts_of = itemgetter(
    *("generation", "attempt", "published", "started", "failed", "settled"),
    *("content", "max_attempts", "starts", "failures", "released", "cancel_with_parent"),
)
_COUNTS = frozenset({int, NoneType})
"""SQLite keeps in a column of numbers what it is given. NULL may be in `max_attempts` and the last."""


_NONE: tuple[tuple[str, ...], tuple[tuple[str, str], ...]] = ((), ())


def _labels_text(task: Task) -> str:
    return to_json([task.tags, task.metadata]).decode()


def labels_in(text: str | None) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """The tags and the metadata in the column `labels`. Raises one of `unreadable_rows.NOT_READ`."""
    if text is None:
        return _NONE
    tags, metadata = from_json(text)
    return tuple(tags), tuple((key, value) for key, value in metadata)


LONGEST_ERROR_TYPE = 128


def _error_type(error: dict[str, Any] | None) -> str | None:
    return None if error is None else storable(str(error.get("type", ""))[:LONGEST_ERROR_TYPE])


def _question(text: str | None) -> Question | None:
    told = _value(text)
    if told is None:
        return None
    instants = {name: _time(told[name]) for name in ("asked_at", "until")}
    return Question(**(told | instants))


def _answer(told: dict[str, Any]) -> Answer:
    return Answer(**(told | {"at": _time(told["at"])}))


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _text(value: Any) -> str | None:
    return None if value is None else to_json(value).decode()


def _value(text: str | None) -> Any:
    return None if text is None else from_json(text)


def _micros(value: datetime | None) -> int | None:
    return None if value is None else micros(value)


def _instant(value: int | None) -> datetime | None:
    return None if value is None else from_micros(value)
