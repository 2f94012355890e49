"""Parses `coordinator schedules`: list, show, create, edit, run, pause, resume, delete."""

from __future__ import annotations

import argparse
from typing import Any

from .argument_types import whole_seconds
from .connection_arguments import connection_after
from .manual_pages import add_page
from .submission_arguments import task_options, task_words
from .task_filters import limit

__all__ = ["add_schedule_pages"]


def add_schedule_pages(commands: Any, connection: argparse.ArgumentParser) -> None:
    """Adds `schedules`, which lists them where no action follows."""
    schedules = add_page(
        commands,
        "schedules",
        help="list schedules; show, create, edit, run, pause, resume and delete them",
        examples=[
            "coordinator schedules",
            "coordinator schedules create '30 3 * * MON-FRI' summary path=library/on-clocks.md --id nightly",
            "coordinator schedules edit nightly --cron '0 4 * * MON-FRI'",
            "coordinator wait $(coordinator schedules run nightly)",
            "coordinator schedules pause nightly",
        ],
        parents=[connection],
    )
    limit(schedules, 100)
    actions = schedules.add_subparsers(dest="action", metavar="ACTION")
    _create(actions)
    _edit(actions)
    for action, what in (
        ("show", "show one: when it runs next, and how its last run went"),
        ("run", "submit its task once now, beside its ticks, and print the task's id"),
        ("pause", "have its ticks pass without a run"),
        ("resume", "have it run again, from the next tick on"),
        ("delete", "end it; the tasks that it has submitted stay"),
    ):
        one = add_page(actions, action, help=what, parents=[connection_after()])
        one.add_argument("schedule_id", metavar="ID")
    for parser in actions.choices.values():
        parser.set_defaults(command="schedules")


def _create(actions: Any) -> None:
    parser = add_page(
        actions,
        "create",
        help="submit a task at each tick of a cron expression, or every so many seconds",
        about="The task is typed as for `submit`. With --every there is no CRON.",
        examples=[
            "coordinator schedules create '*/10 * * * *' load --id every-ten --timezone UTC",
            "coordinator schedules create --every 90s --id often load",
        ],
        parents=[connection_after()],
    )
    parser.add_argument(
        "cron", nargs="?", metavar="CRON", help="five fields, or six with seconds in front"
    )
    task_words(parser)
    task_options(parser)
    _ticks(parser)


def _edit(actions: Any) -> None:
    parser = add_page(
        actions,
        "edit",
        help="have it be other than it is; what is not given stays",
        about="A task, typed as for `submit`, takes the place of the whole task that it has.",
        examples=[
            "coordinator schedules edit nightly --cron '0 4 * * *' --timezone Europe/Vienna",
            "coordinator schedules edit nightly summary path=library/on-queues.md --priority low",
        ],
        parents=[connection_after()],
    )
    parser.add_argument("schedule_id", metavar="ID")
    task_words(parser)
    task_options(parser, own_id=False)
    parser.add_argument("--cron", help="five fields, or six with seconds in front")
    _ticks(parser)


def _ticks(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--every",
        type=whole_seconds,
        metavar="TIME",
        help="from tick to tick, in place of a cron expression",
    )
    parser.add_argument("--timezone", metavar="NAME", help="of the IANA's list (default UTC)")
    parser.add_argument(
        "--missed", choices=["skip", "once", "all"], help="what becomes of ticks that were missed"
    )
