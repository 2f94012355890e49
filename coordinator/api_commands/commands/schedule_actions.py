"""Runs `coordinator schedules`: lists them, or does what its action says."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

from coordinator.api_commands.exit_statuses import DONE
from coordinator.api_commands.printing.fleet_tables import print_schedule, print_schedules
from coordinator.client import NewTask, Schedule
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
    elif action == "run":
        schedule_id = call.options.schedule_id
        task_id = call.client.run_schedule(schedule_id)
        run = {"schedule_id": schedule_id, "task_id": task_id}
        call.printer.answer(run, lambda: call.printer.line(task_id))
    else:
        schedule = _schedule(call, action)
        call.printer.answer(schedule, partial(print_schedule, call.printer, schedule))
    return DONE


def _schedule(call: Invocation, action: str) -> Schedule:
    if action == "create":
        return _created(call)
    if action == "edit":
        return _edited(call)
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
    if options.every is not None and options.cron is not None:
        options.words = [options.cron, *options.words]  # there is no CRON: it begins the task
        options.cron = None
    if options.every is None and options.cron is None:
        raise OperatorError("It is due never: give a CRON, such as '30 3 * * *', or --every 90s")
    return call.client.create_schedule(
        options.cron,
        _task(options),
        every_seconds=options.every,
        schedule_id=schedule_id,
        timezone=options.timezone,
        missed=options.missed,
    )


def _edited(call: Invocation) -> Schedule:
    options = call.options
    given = bool(options.words) or options.data is not None
    if not given and typed_task(options, {}) != NewTask(task_data={}):
        raise OperatorError(
            "What is said of a task goes with its data, since it takes the place of the whole task: give its"
            " TYPE and fields, or --data"
        )
    return call.client.edit_schedule(
        options.schedule_id,
        cron=options.cron,
        every_seconds=options.every,
        timezone=options.timezone,
        missed=options.missed,
        task=_task(options) if given else None,
    )


def _task(options: argparse.Namespace) -> NewTask:
    if options.not_before is not None:
        raise OperatorError("--not-before is an instant, which recurs never: give --delay")
    return typed_task(options, typed_data(options.words, options.data))
