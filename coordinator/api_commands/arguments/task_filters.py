"""Parses which tasks are meant, with the same words for every list."""

from __future__ import annotations

import argparse

from coordinator.domain.task import State
from coordinator.protocol.priority import Priority

from .argument_types import count, instant, metadata_pair

__all__ = ["PRIORITIES", "STATES", "labels", "limit", "list_filters"]

PRIORITIES = [one.value for one in Priority]
STATES = [one.value for one in State]


def labels(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Adds `--group`, `--tag` and `--metadata`."""
    parser.add_argument("--group", help="of this group")
    parser.add_argument(
        "--tag", action="append", default=[], help="with all of these tags; may be repeated"
    )
    parser.add_argument(
        "--metadata",
        action="append",
        default=[],
        type=metadata_pair,
        metavar="NAME=VALUE",
        help="with this value in the metadata; may be repeated",
    )


def list_filters(parser: argparse.ArgumentParser) -> None:
    """Adds the filters of the list of tasks."""
    group = parser.add_argument_group("filters", "A task must match all of them.")
    group.add_argument(
        "--state", action="append", default=[], choices=STATES, help="one of these; repeatable"
    )
    group.add_argument(
        "--priority",
        action="append",
        default=[],
        choices=PRIORITIES,
        help="one of these; repeatable",
    )
    group.add_argument("--type", dest="task_type", metavar="TYPE", help="of this task_type")
    group.add_argument("--agent", metavar="ID", help="that this agent works on, or did last")
    group.add_argument(
        "--capability",
        action="append",
        default=[],
        metavar="NAME",
        help="that require it; repeatable",
    )
    group.add_argument(
        "--service", action="append", default=[], metavar="NAME", help="that require it; repeatable"
    )
    group.add_argument("--agent-type", metavar="TYPE", help="that require this type of agent")
    group.add_argument(
        "--since",
        type=instant,
        metavar="WHEN",
        help="submitted from then on: an instant, or 2h ago",
    )
    group.add_argument("--until", type=instant, metavar="WHEN", help="submitted before then")
    group.add_argument("--parent", metavar="ID", help="that the handler of this task has submitted")
    labels(group)


def limit(parser: argparse.ArgumentParser, default: int) -> None:
    """Adds `--limit`, and `--all` beside it, which sets it to None."""
    some = parser.add_mutually_exclusive_group()
    some.add_argument(
        "--limit", type=count, default=default, metavar="N", help=f"at most (default {default})"
    )
    some.add_argument(
        "--all", dest="limit", action="store_const", const=None, help="all there are, page by page"
    )
