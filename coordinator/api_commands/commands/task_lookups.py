"""Runs `coordinator task`, `tasks`, `explain` and `questions`."""

from __future__ import annotations

from coordinator.api_commands.exit_statuses import DONE
from coordinator.api_commands.printing.cell_texts import age, as_json, one_line
from coordinator.api_commands.printing.task_tables import (
    print_explanation,
    print_task,
    print_tasks,
    print_timeline,
)
from coordinator.api_commands.printing.text_tables import Column
from coordinator.client import Task

from .ends_of_tasks import followed_to_its_end
from .invocation import Invocation

__all__ = ["explain", "list_tasks", "questions", "show_task"]


def show_task(call: Invocation) -> int:
    """`task ID`."""
    task_id = call.options.task_id
    if call.options.follow:
        return followed_to_its_end(call, task_id)
    if call.options.timeline:
        events = list(call.client.each_of_timeline(task_id))
        call.printer.answers(events, lambda: print_timeline(call.printer, events))
        return DONE
    task = call.client.task(task_id)
    call.printer.answer(task, lambda: print_task(call.printer, task))
    return DONE


def list_tasks(call: Invocation) -> int:
    """`tasks`."""
    asked = call.options
    found = call.some(
        call.client.each_task(
            state=asked.state,
            priority=asked.priority,
            agent=asked.agent,
            task_type=asked.task_type,
            submitted_after=asked.since,
            submitted_before=asked.until,
            limit=min(asked.limit or PAGE, PAGE),
            capability=asked.capability,
            service=asked.service,
            agent_type=[] if asked.agent_type is None else [asked.agent_type],
            parent_id=[] if asked.parent is None else [asked.parent],
            group=[] if asked.group is None else [asked.group],
            tag=asked.tag,
            metadata=[f"{key}={value}" for key, value in asked.metadata],
        )
    )
    call.printer.answers(found, lambda: print_tasks(call.printer, found))
    return DONE


PAGE = 200
"""Tasks in one request at most, as the service has it."""


def explain(call: Invocation) -> int:
    """`explain ID`."""
    found = call.client.explain(call.options.task_id)
    call.printer.answer(found, lambda: print_explanation(call.printer, found))
    return DONE


def questions(call: Invocation) -> int:
    """`questions`: each task that waits for people is looked up, since lists do not have the question."""
    waiting = call.some(call.client.each_task(state=["input_required"]))
    tasks = [task for one in waiting if (task := call.client.task(one.task_id)).question]
    call.printer.answers(tasks, lambda: _print_questions(call, tasks))
    return DONE


def _print_questions(call: Invocation, tasks: list[Task]) -> None:
    if not tasks:
        call.printer.note("No task waits for people.")
        return
    rows = [
        [
            one_line(task.task_id),
            age(task.question.asked_at),
            one_line(task.question.agent_id),
            as_json(task.question.question),
        ]
        for task in tasks
        if task.question is not None
    ]
    columns = (
        Column(name="task", least=10, whole=True),
        Column(name="asked", least=6, right=True, spared=1),
        Column(name="agent", least=8, spared=2),
        Column(name="question", least=16),
    )
    call.printer.table(columns, rows)
