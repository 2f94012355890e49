"""Parses `coordinator dead` and `coordinator redrive`."""

from __future__ import annotations

import argparse
import math
from typing import Any

from .argument_types import count, instant
from .connection_arguments import yes
from .manual_pages import add_page
from .task_filters import labels, limit

__all__ = ["add_dead_task_pages"]


def add_dead_task_pages(commands: Any, connection: argparse.ArgumentParser) -> None:
    """Adds `dead` and `redrive`."""
    dead = add_page(
        commands,
        "dead",
        help="list dead tasks: how many died of what, and the last of them",
        examples=["coordinator dead", "coordinator dead --error ConnectionError --since 1h"],
        parents=[connection],
    )
    limit(dead, 10)
    _filters(dead)

    redrive = add_page(
        commands,
        "redrive",
        help="send dead tasks round again",
        about="All that match, the first that died first. It says how many these are, and asks first.",
        examples=[
            "coordinator redrive --error ConnectionError --dry-run",
            "coordinator redrive --error ConnectionError --rate 50 --yes",
        ],
        parents=[connection],
    )
    _filters(redrive)
    redrive.add_argument("--dry-run", action="store_true", help="only count them")
    redrive.add_argument(
        "--rate",
        type=_rate,
        metavar="N",
        help="tasks a second that go on their queues; default all",
    )
    redrive.add_argument(
        "--limit", type=count, metavar="N", help="tasks at most (the service's default is 1000)"
    )
    yes(redrive)


def _filters(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("filters", "A task must match all of them.")
    group.add_argument("--error", dest="error_type", metavar="TYPE", help="that died of this")
    group.add_argument("--type", dest="task_type", metavar="TYPE", help="of this task_type")
    group.add_argument("--lane", help="of this lane")
    group.add_argument(
        "--since",
        type=instant,
        metavar="WHEN",
        help="submitted from then on: an instant, or 2h ago",
    )
    group.add_argument("--until", type=instant, metavar="WHEN", help="submitted before then")
    labels(group)


def _rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not math.isfinite(value) or value <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no rate: give tasks a second, such as 50")
    return value
