"""Runs `coordinator schedules`: lists them, or does what its action says."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from coordinator.api_commands.exit_statuses import DONE
from coordinator.api_commands.printing.fleet_tables import print_schedule, print_schedules
from coordinator.client import Schedule
from coordinator.errors import OperatorError

from .invocation import Invocation
from .typed_tasks import typed_data, typed_task

__all__ = ["schedules"]


def schedules(call: Invocation) -> int:
    """`schedules [ACTION]`."""
    action = call.options.action
    if action is None:
        found = call.some(call.client.each_schedule())
        call.printer.answers(found, lambda: print_schedules(call.printer, found))
    elif action == "delete":
        done = call.client.delete_schedule(call.options.schedule_id)
        call.printer.answer(done, lambda: call.printer.line(f"Deleted {done.schedule_id}"))
    else:
        schedule = _schedule(call, action)
        call.printer.answer(schedule, partial(print_schedule, call.printer, schedule))
    return DONE


def _schedule(call: Invocation, action: str) -> Schedule:
    if action == "create":
        return _created(call)
    actions: dict[str, Callable[[str], Schedule]] = {
        "show": call.client.schedule,
        "pause": call.client.pause_schedule,
        "resume": call.client.resume_schedule,
    }
    return actions[action](call.options.schedule_id)


def _created(call: Invocation) -> Schedule:
    options = call.options
    schedule_id, options.task_id = (
        options.task_id,
        None,
    )  # --id names the schedule: runs have own ids
    if options.not_before is not None:
        raise OperatorError("--not-before is an instant, which recurs never: give --delay")
    task = typed_task(options, typed_data(options.words, options.data))
    return call.client.create_schedule(
        options.cron,
        task,
        schedule_id=schedule_id,
        timezone=options.timezone,
        missed=options.missed,
    )
