"""Runs `coordinator dead` and `coordinator redrive`."""

from __future__ import annotations

from dataclasses import replace

from coordinator.api_commands.exit_statuses import DONE, REFUSED
from coordinator.api_commands.printing.task_tables import print_dead
from coordinator.client import DeadTasks, Redriven
from coordinator.client.calls.dead_task_calls import DeadFilter

from .invocation import Invocation

__all__ = ["dead", "redrive"]

PAGE = 1000
"""Dead tasks in one request at most, as the service has it."""


def dead(call: Invocation) -> int:
    """`dead`: in JSON, one object with the errors and the tasks."""
    limit = call.options.limit
    wanted = _filters(call)
    found = call.client.dead(limit=min(limit or PAGE, PAGE), **wanted)
    while found.next_cursor is not None and (limit is None or len(found.tasks) < limit):
        left = PAGE if limit is None else min(limit - len(found.tasks), PAGE)
        more = call.client.dead(limit=left, cursor=found.next_cursor, **wanted)
        found = _together(found, more)
    call.printer.answer(found, lambda: print_dead(call.printer, found))
    return DONE


def _together(found: DeadTasks, more: DeadTasks) -> DeadTasks:
    return replace(found, tasks=(*found.tasks, *more.tasks), next_cursor=more.next_cursor)


def redrive(call: Invocation) -> int:
    """`redrive`."""
    options, wanted = call.options, _filters(call)
    if options.dry_run:
        counted = call.client.redrive(dry_run=True, limit=options.limit, **wanted)
        call.printer.answer(counted, lambda: call.printer.line(_told(counted)))
        return DONE
    if not options.yes:
        counted = call.client.redrive(dry_run=True, limit=options.limit, **wanted)
        if not call.agreed(_told(counted)):
            call.printer.note("Nothing was done.")
            return REFUSED
    done = call.client.redrive(rate_per_second=options.rate, limit=options.limit, **wanted)
    call.printer.answer(done, lambda: call.printer.line(_told(done)))
    return DONE


def _told(counted: Redriven) -> str:
    verb = "would go round again" if counted.dry_run else "go round again"
    return f"{counted.redriven} of {counted.matched} dead tasks {verb}"


def _filters(call: Invocation) -> DeadFilter:
    asked = call.options
    found: DeadFilter = {}
    if asked.error_type is not None:
        found["error_type"] = asked.error_type
    if asked.task_type is not None:
        found["task_type"] = asked.task_type
    if asked.lane is not None:
        found["lane"] = asked.lane
    if asked.since is not None:
        found["submitted_from"] = asked.since
    if asked.until is not None:
        found["submitted_before"] = asked.until
    if asked.group is not None:
        found["group"] = asked.group
    if asked.tag:
        found["tags"] = asked.tag
    if asked.metadata:
        found["metadata"] = dict(asked.metadata)
    return found
