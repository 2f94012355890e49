"""Waits for the ends of tasks, or follows one: `coordinator wait`, and `--wait` and `--follow` of others."""

from __future__ import annotations

from contextlib import closing
from functools import partial

from coordinator.api_commands.exit_statuses import DONE, NOT_COMPLETED
from coordinator.api_commands.printing.cell_texts import as_json, one_line
from coordinator.api_commands.printing.event_lines import EventPrinter
from coordinator.api_commands.printing.task_tables import error_text
from coordinator.api_commands.unread_output import end_when_unread
from coordinator.client import Task, TaskEnded

from .invocation import Invocation

__all__ = ["followed_to_its_end", "wait", "waited_for"]


def wait(call: Invocation) -> int:
    """`wait ID…`: the result of one; of several a line for each, as they end."""
    ids = list(dict.fromkeys(call.options.task_ids))
    if len(ids) == 1:
        return waited_for(call, ids[0])
    for task_id in ids:  # an id that is not known is told at once
        call.client.task(task_id)
    call.be_patient()
    end_when_unread()
    worst = DONE
    handles = [call.client.handle(task_id) for task_id in ids]
    with closing(call.client.as_completed(handles, call.options.timeout)) as ended:
        for handle in ended:
            task = handle.wait()
            worst = max(worst, _status(task))
            call.printer.answer(task, partial(_print_line, call, task))
    return worst


def waited_for(call: Invocation, task_id: str) -> int:
    """Its result in JSON; why there is none, on the standard error."""
    task = call.client.task(task_id)
    if not task.ended:
        call.be_patient()
        end_when_unread()
        task = call.client.wait(task_id, call.options.timeout)
    return _end(call, task)


def followed_to_its_end(call: Invocation, task_id: str) -> int:
    """What happens to it, what it says, and its end."""
    call.client.task(task_id)
    call.be_patient()
    end_when_unread()
    events = EventPrinter(call.printer, subjects=False)
    with closing(call.client.stream(task_id, timeout=call.options.timeout)) as items:
        for item in items:
            events.print(item)
            if isinstance(item, TaskEnded):
                return _end(call, item.task)
    return NOT_COMPLETED


def _end(call: Invocation, task: Task) -> int:
    if call.printer.json:
        call.printer.document(task)
    elif task.state == "completed":
        call.printer.lines(as_json(task.result))
    else:
        call.printer.note(f"Task {task.task_id} is {task.state}: {_why(task)}")
    return _status(task)


def _print_line(call: Invocation, task: Task) -> None:
    said = as_json(task.result) if task.state == "completed" else _why(task)
    call.printer.line(f"{task.task_id}  {task.state:<9}  {said}")


def _why(task: Task) -> str:
    return one_line("no reason given") if task.error is None else error_text(task.error)


def _status(task: Task) -> int:
    return DONE if task.state == "completed" else NOT_COMPLETED
