"""Prints tasks: lists of them, one with all that it has, its timeline, and why it waits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from coordinator.client import (
    ENDED,
    DeadTasks,
    ExplainedAgent,
    Explanation,
    Task,
    TaskError,
    TaskSummary,
    TimelineEvent,
)

from .cell_texts import NONE, age, as_json, instant_text, one_line, several_lines
from .printer import Printer
from .text_tables import Column

__all__ = [
    "RUNNING",
    "error_text",
    "print_dead",
    "print_explanation",
    "print_task",
    "print_tasks",
    "print_timeline",
    "running_rows",
    "task_rows",
]

TASKS = (
    Column(name="task", least=12, whole=True),
    Column(name="state", least=9),
    Column(name="priority", least=8, spared=3),
    Column(name="type", least=8, spared=2),
    Column(name="agent", least=8, spared=4),
    Column(name="age", least=6, right=True, spared=1),
    Column(name="took", least=6, right=True, spared=5),
    Column(name="note", least=12, spared=6),
)


def print_tasks(printer: Printer, tasks: Sequence[TaskSummary]) -> None:
    """One line each."""
    if not tasks:
        printer.note("No task matches.")
        return
    printer.table(TASKS, task_rows(tasks))


def task_rows(tasks: Sequence[TaskSummary], now: datetime | None = None) -> list[list[str]]:
    """For the columns `TASKS`."""
    now = now or datetime.now(UTC)
    return [
        [
            one_line(task.task_id),
            one_line(task.state),
            one_line(task.priority),
            one_line(task.task_type),
            one_line(task.agent_id),
            age(task.submitted_at, now),
            _took(task, now),
            _note(task),
        ]
        for task in tasks
    ]


RUNNING = (
    Column(name="running task", least=12, whole=True),
    Column(name="type", least=8, spared=2),
    Column(name="priority", least=8, spared=4),
    Column(name="agent", least=8, spared=1),
    Column(name="since", least=6, right=True),
    Column(name="attempt", least=7, right=True, spared=5),
    Column(name="progress", least=12, spared=3),
)


def running_rows(tasks: Sequence[TaskSummary], now: datetime) -> list[list[str]]:
    """For the columns `RUNNING`."""
    return [
        [
            one_line(task.task_id),
            one_line(task.task_type),
            one_line(task.priority),
            one_line(task.agent_id),
            _took(task, now),
            str(task.attempt),
            "waits for people" if task.state == "input_required" else _note(task),
        ]
        for task in tasks
    ]


def _took(task: TaskSummary | Task, now: datetime) -> str:
    """From its start to its end, or until now."""
    if task.started_at is None or task.state in {"queued", "scheduled", "waiting"}:
        return NONE
    return age(task.started_at, task.ended_at or now)


def _note(task: TaskSummary) -> str:
    if task.error is not None:
        return error_text(task.error)
    if task.progress is not None and task.state == "running":
        return _progress(task.progress.fraction, task.progress.message)
    return NONE


def _progress(fraction: float | None, message: str | None) -> str:
    parts = [] if fraction is None else [f"{fraction:.0%}"]
    return one_line(" ".join([*parts, *([message] if message else [])]))


def error_text(error: TaskError) -> str:
    """Type and message on one line."""
    return one_line(f"{error.type}: {error.message}")


def print_task(printer: Printer, task: Task) -> None:
    """All that it has, but for what is not there."""
    printer.fields([field for field in _fields(task) if field[1] != NONE])
    if task.error is not None and task.error.traceback:
        printer.line("")
        printer.lines(task.error.traceback.rstrip())


def _fields(task: Task) -> Iterator[tuple[str, str]]:
    yield "task", one_line(task.task_id)
    yield "state", one_line(task.state)
    yield "priority", one_line(task.priority)
    yield "lane", one_line(task.lane)
    yield "requires", as_json(task.requirements) if task.requirements else NONE
    yield "attempt", f"{task.attempt} of {task.max_attempts}" if task.max_attempts else NONE
    yield "agent", one_line(task.agent_id)
    yield "submitted", instant_text(task.submitted_at)
    yield "by", one_line(task.submitted_by)
    yield "not before", instant_text(task.not_before)
    yield "expires", instant_text(task.expires_at)
    yield "started", instant_text(task.started_at)
    yield "ended", instant_text(task.ended_at)
    yield "took", _took(task, datetime.now(UTC))
    yield "parent", one_line(task.parent_id)
    yield "group", one_line(task.group)
    yield "tags", one_line(" ".join(task.tags))
    if task.progress is not None and not task.ended:
        yield "progress", _progress(task.progress.fraction, task.progress.message)
    yield "data", as_json(task.task_data)
    if task.metadata:
        yield "metadata", as_json(task.metadata)
    if task.question is not None:
        yield "asks", as_json(task.question.question)
    if task.state == "completed":
        yield "result", as_json(task.result)
    if task.error is not None:
        yield "error", several_lines(f"{task.error.type}: {task.error.message}")


TIMELINE = (
    Column(name="time", least=19),
    Column(name="event", least=14),
    Column(name="attempt", least=7, right=True, spared=2),
    Column(name="agent", least=8, spared=1),
    Column(name="details", least=12, spared=3),
)


def print_timeline(printer: Printer, events: Sequence[TimelineEvent]) -> None:
    """In the order of the log."""
    rows = [
        [
            instant_text(event.time),
            one_line(event.type),
            str(event.attempt),
            one_line(event.agent_id),
            as_json(event.details) if event.details else NONE,
        ]
        for event in events
    ]
    printer.table(TIMELINE, rows)


def print_explanation(printer: Printer, explained: Explanation) -> None:
    """The sentence, what is before it, who could do it, and what keeps the others."""
    printer.line(explained.why)
    for warning in explained.warnings:
        printer.line(f"Warning: {warning}", style="yellow")
    if explained.state in ENDED:
        return
    before = [f"{number} {priority}" for priority, number in explained.ahead.items() if number]
    printer.fields(
        [
            ("state", one_line(explained.state)),
            ("lane", one_line(explained.lane)),
            ("ahead", one_line(", ".join(before) or "none")),
            *([] if explained.able else [("able", "none")]),
        ]
    )
    more = explained.able_count - len(explained.able)
    _print_obstacles(printer, "able", explained.able, "nothing keeps it from it")
    if more > 0:
        printer.line(f"and {more} more that are able")
    _print_obstacles(printer, "cannot", explained.unable, NONE)


def _print_obstacles(
    printer: Printer, name: str, agents: Sequence[ExplainedAgent], otherwise: str
) -> None:
    """A table of them under ``name``; ``otherwise`` is told of one that nothing keeps from it."""
    if not agents:
        return
    rows = [
        [
            one_line(one.agent_id),
            one_line(one.status),
            one_line("; ".join(one.why_not) or otherwise),
        ]
        for one in agents
    ]
    columns = (
        Column(name=name, least=10),
        Column(name="status", least=8, spared=1),
        Column(name="why" if otherwise == NONE else "why not now", least=16),
    )
    printer.line("")
    printer.table(columns, rows)


def print_dead(printer: Printer, dead: DeadTasks) -> None:
    """How many died of what, and the last of them."""
    if not dead.total:
        printer.note("No dead task matches.")
        return
    now = datetime.now(UTC)
    printer.table(
        (
            Column(name="error", least=16),
            Column(name="tasks", least=5, right=True),
            Column(name="first", least=6, right=True, spared=1),
            Column(name="last", least=6, right=True),
        ),
        [
            [
                one_line(one.error_type),
                str(one.count),
                age(one.first_at, now),
                age(one.last_at, now),
            ]
            for one in dead.groups
        ],
    )
    printer.line("")
    printer.table(
        (
            Column(name="task", least=12, whole=True),
            Column(name="type", least=8, spared=1),
            Column(name="agent", least=8, spared=3),
            Column(name="died", least=6, right=True, spared=2),
            Column(name="error", least=16),
        ),
        [
            [
                one_line(one.task_id),
                one_line(one.task_type),
                one_line(one.agent_id),
                age(one.ended_at, now),
                NONE if one.error is None else error_text(one.error),
            ]
            for one in dead.tasks
        ],
    )
    if len(dead.tasks) < dead.total:
        printer.note(f"{len(dead.tasks)} of {dead.total} are shown; --all shows all.")
