"""Runs `coordinator submit`: one task, or one for each line of a file."""

from __future__ import annotations

from collections.abc import Iterator

from coordinator.api_commands.exit_statuses import DONE
from coordinator.client import NewTask, NotAllAccepted, TaskHandle
from coordinator.errors import OperatorError

from .ends_of_tasks import followed_to_its_end, waited_for
from .invocation import Invocation
from .typed_tasks import json_object, text_of, typed_data, typed_task

__all__ = ["submit"]


def submit(call: Invocation) -> int:
    """Prints the id; with `--wait` the result, and the id on the standard error."""
    options = call.options
    if options.each is not None:
        return _submit_each(call)
    task = typed_task(options, typed_data(options.words, options.data))
    handle = call.client.submit(task, idempotency_key=options.idempotency_key)
    if not (options.wait or options.follow):
        _print_id(call, handle)
        return DONE
    call.printer.note(f"Submitted {handle.task_id}")
    _warn(call, handle)
    if options.follow:
        return followed_to_its_end(call, handle.task_id)
    return waited_for(call, handle.task_id)


def _submit_each(call: Invocation) -> int:
    options = call.options
    if options.words or options.data is not None or options.wait or options.follow:
        raise OperatorError(
            "--each takes the data from the file, and does not wait: leave out the rest"
        )
    if options.task_id is not None:
        raise OperatorError("--id is for one task: with --each, give a task_id in each line")
    tasks = list(_tasks(call))
    if not tasks:
        raise OperatorError(f"--each names {options.each}, which has no line with a task")
    try:
        handles = call.client.submit_many(tasks, idempotency_key=options.idempotency_key)
    except NotAllAccepted as error:
        _print_ids(call, [one for one in error.handles if one is not None])
        raise
    _print_ids(call, handles)
    return DONE


def _tasks(call: Invocation) -> Iterator[NewTask]:
    path = call.options.each
    text = text_of("--each", path if path == "-" else f"@{path}")
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            data = json_object(f"Line {number} of {path}", line.strip())
            yield typed_task(call.options, data)


def _print_ids(call: Invocation, handles: list[TaskHandle]) -> None:
    for handle in handles:
        _print_id(call, handle)


def _print_id(call: Invocation, handle: TaskHandle) -> None:
    call.printer.answer(handle.accepted, lambda: call.printer.line(handle.task_id))
    _warn(call, handle)


def _warn(call: Invocation, handle: TaskHandle) -> None:
    if handle.accepted.warning and not call.printer.json:
        call.printer.note(f"Warning: {handle.accepted.warning}")
