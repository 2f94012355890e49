"""Parses `coordinator groups` and `coordinator callbacks`."""

from __future__ import annotations

import argparse
from typing import Any

from .argument_types import seconds
from .connection_arguments import connection_after, yes
from .manual_pages import add_page
from .task_filters import limit

__all__ = ["add_group_pages"]


def add_group_pages(commands: Any, connection: argparse.ArgumentParser) -> None:
    """Adds `groups` and `callbacks`."""
    groups = add_page(
        commands,
        "groups",
        help="show, wait for and cancel the tasks of a group",
        examples=[
            "coordinator groups show report-7",
            "coordinator groups wait report-7 --timeout 1h",
            "coordinator groups cancel report-7 --tag nightly",
        ],
    )
    actions = groups.add_subparsers(dest="action", required=True, metavar="ACTION")
    show = add_page(
        actions, "show", help="how many of its tasks are in which state", parents=[connection]
    )
    wait = add_page(
        actions,
        "wait",
        help="wait until all of its tasks have ended",
        about="The exit status is 0 where all completed, 1 where one did not.",
        parents=[connection],
    )
    wait.add_argument("--timeout", type=seconds, metavar="TIME", help="how long at most")
    cancel = add_page(
        actions, "cancel", help="end its tasks that have not ended", parents=[connection]
    )
    cancel.add_argument("--reason", help="for people; kept with each task")
    cancel.add_argument(
        "--tag", action="append", default=[], help="only those with all of these; repeatable"
    )
    yes(cancel)
    for one in (show, wait, cancel):
        one.add_argument("group_id", metavar="GROUP")
        one.set_defaults(command="groups")

    callbacks = add_page(
        commands,
        "callbacks",
        help="list what was told, or is to be told, to the URLs of callbacks",
        examples=[
            "coordinator callbacks --state dead",
            "coordinator callbacks redrive --host app.example.org",
        ],
        parents=[connection],
    )
    callbacks.add_argument(
        "--state", choices=["pending", "delivered", "dead"], help="where they stand"
    )
    limit(callbacks, 20)
    _which(callbacks, default=None)
    again = callbacks.add_subparsers(dest="action", metavar="ACTION")
    redrive = add_page(
        again, "redrive", help="try dead callbacks again", parents=[connection_after()]
    )
    redrive.set_defaults(command="callbacks")
    _which(redrive, default=argparse.SUPPRESS)
    redrive.add_argument("--dry-run", action="store_true", help="only count them")


def _which(parser: argparse.ArgumentParser, *, default: str | None) -> None:
    """What was given before the action counts: without a filter, all are meant."""
    parser.add_argument(
        "--task", dest="task_id", metavar="ID", default=default, help="about this task"
    )
    parser.add_argument("--host", default=default, help="of URLs with this host")
