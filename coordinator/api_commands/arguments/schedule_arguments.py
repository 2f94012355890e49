"""Parses `coordinator schedules`: list, show, create, pause, resume, delete."""

from __future__ import annotations

import argparse
from typing import Any

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
        help="list schedules; show, create, pause, resume and delete them",
        examples=[
            "coordinator schedules",
            "coordinator schedules create '30 3 * * MON-FRI' summary path=library/on-clocks.md --id nightly",
            "coordinator schedules pause nightly",
        ],
        parents=[connection],
    )
    limit(schedules, 100)
    actions = schedules.add_subparsers(dest="action", metavar="ACTION")
    create = add_page(
        actions,
        "create",
        help="submit a task at each tick of a cron expression",
        about="The task is typed as for `submit`.",
        examples=["coordinator schedules create '*/10 * * * *' load --id every-ten --timezone UTC"],
        parents=[connection_after()],
    )
    create.add_argument("cron", metavar="CRON", help="five fields, or six with seconds in front")
    task_words(create)
    task_options(create)
    create.add_argument("--timezone", metavar="NAME", help="of the IANA's list (default UTC)")
    create.add_argument(
        "--missed", choices=["skip", "once", "all"], help="what becomes of ticks that were missed"
    )
    for action, what in (
        ("show", "show one: when it runs next, and how its last run went"),
        ("pause", "have its ticks pass without a run"),
        ("resume", "have it run again, from the next tick on"),
        ("delete", "end it; the tasks that it has submitted stay"),
    ):
        one = add_page(actions, action, help=what, parents=[connection_after()])
        one.add_argument("schedule_id", metavar="ID")
    for parser in actions.choices.values():
        parser.set_defaults(command="schedules")
