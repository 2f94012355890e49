"""Runs `coordinator groups` and `coordinator callbacks`."""

from __future__ import annotations

from functools import partial

from coordinator.api_commands.exit_statuses import DONE, NOT_COMPLETED, REFUSED
from coordinator.api_commands.printing.fleet_tables import print_callbacks, print_group
from coordinator.api_commands.unread_output import end_when_unread
from coordinator.client import Group, WaitTimedOut
from coordinator.client.exchange.programs import Deadline

from .invocation import Invocation

__all__ = ["callbacks", "groups"]

ONE_WAIT = 30.0
"""Seconds of one request: shorter than what most proxies allow."""


def groups(call: Invocation) -> int:
    """`groups show | wait | cancel GROUP`."""
    match call.options.action:
        case "wait":
            return _wait(call)
        case "cancel":
            return _cancel(call)
    found = call.client.group(call.options.group_id)
    call.printer.answer(found, lambda: print_group(call.printer, found))
    return DONE


def _wait(call: Invocation) -> int:
    group_id, timeout = call.options.group_id, call.options.timeout
    call.client.group(group_id)
    call.be_patient()
    end_when_unread()
    deadline = Deadline(timeout, call.client.now.clock)
    while True:
        waited = call.client.group_waited(group_id, deadline.within(ONE_WAIT))
        if waited.reached:
            break
        if deadline.left == 0:
            raise WaitTimedOut(
                f"Group {group_id} goes on after {timeout:g} seconds: {_ended(waited.group)} ended"
            )
    call.printer.answer(waited.group, lambda: print_group(call.printer, waited.group))
    return DONE if waited.group.counts.get("completed") == waited.group.total else NOT_COMPLETED


def _ended(group: Group) -> str:
    return f"{group.ended} of {group.total} tasks have"


def _cancel(call: Invocation) -> int:
    options = call.options
    if not options.yes:
        group = call.client.group(options.group_id)
        what = f"{group.total - group.ended} tasks of the group {group.group_id} go on"
        whose = f", of which those with {' and '.join(options.tag)}" if options.tag else ", which"
        if not call.agreed(f"{what}{whose} would be cancelled"):
            call.printer.note("Nothing was done.")
            return REFUSED
    while True:
        done = call.client.cancel_group(options.group_id, options.reason, tags=options.tag or None)
        call.printer.answer(done, partial(call.printer.line, f"Cancelled {done.cancelled} tasks"))
        if not (done.left and done.cancelled):
            return DONE


def callbacks(call: Invocation) -> int:
    """`callbacks [redrive]`."""
    options = call.options
    if options.action == "redrive":
        done = call.client.redrive_callbacks(
            task_id=options.task_id, host=options.host, dry_run=options.dry_run
        )
        verb = "would be tried again" if done.dry_run else "are tried again"
        call.printer.answer(done, lambda: call.printer.line(f"{done.redriven} callbacks {verb}"))
        return DONE
    found = call.some(
        call.client.each_callback(state=options.state, task_id=options.task_id, host=options.host)
    )
    call.printer.answers(found, lambda: print_callbacks(call.printer, found))
    return DONE
