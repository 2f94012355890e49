"""Parses `coordinator events` and `coordinator top`."""

from __future__ import annotations

import argparse
from typing import Any

from .argument_types import count, seconds
from .manual_pages import add_page
from .task_filters import PRIORITIES, STATES

__all__ = ["add_stream_pages"]


def add_stream_pages(commands: Any, connection: argparse.ArgumentParser) -> None:
    """Adds `events` and `top`."""
    events = add_page(
        commands,
        "events",
        help="list what has happened to tasks and agents, or follow what happens",
        about="All that is kept, or what came after a position; then it ends. With --follow it tells what"
        " happens from now on, comes back by itself where the connection is lost, and goes on where it was:"
        " Ctrl-C ends it, or --count, or --timeout. Each filter takes one of its values.",
        examples=[
            "coordinator events --follow",
            "coordinator events --type task.failed --json",
            "coordinator events --follow --after 4711",
            "coordinator events --after 0 --task 7c9e6679 --count 3",
        ],
        parents=[connection],
    )
    events.add_argument(
        "--follow", "-f", action="store_true", help="tell what happens, as it happens"
    )
    events.add_argument(
        "--after",
        type=_position,
        metavar="POSITION",
        help="what is kept after this position; 0 is all",
    )
    events.add_argument("--count", type=count, metavar="N", help="end after so many")
    events.add_argument("--timeout", type=seconds, metavar="TIME", help="end after so long")
    for option, dest, what in (
        ("--type", "type", "such as task.failed; task.* and agent.* are all of theirs"),
        ("--task", "task_id", "of this task"),
        ("--agent", "agent_id", "of this agent"),
        ("--group", "group", "of this group"),
        ("--tag", "tag", "of tasks with this tag"),
    ):
        events.add_argument(
            option, dest=dest, action="append", default=[], help=f"{what}; repeatable"
        )
    events.add_argument(
        "--priority", action="append", default=[], choices=PRIORITIES, help="of tasks; repeatable"
    )
    events.add_argument(
        "--state",
        action="append",
        default=[],
        choices=STATES,
        help="that the task is in after it; repeatable",
    )

    top = add_page(
        commands,
        "top",
        help="show the fleet at work, in a table that moves",
        about="Queues by priority, agents, and the tasks that run. q or Ctrl-C ends it. Where the output is"
        " no terminal, and with --once, it is printed once.",
        examples=["coordinator top", "coordinator top --interval 5", "coordinator top --once"],
        parents=[connection],
    )
    top.add_argument(
        "--interval", type=_interval, default=1.0, metavar="TIME", help="between looks (default 1s)"
    )
    top.add_argument("--once", action="store_true", help="print it once")


def _position(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no position: give a whole number, such as 0")
    return int(text)


def _interval(text: str) -> float:
    value = seconds(text)
    if value < 0.2:
        raise argparse.ArgumentTypeError("give 0.2 or more: each look is some requests")
    return value
