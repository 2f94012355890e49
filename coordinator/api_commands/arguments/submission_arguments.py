"""Parses `coordinator submit`: the data of a task, what its agent must have, and how it is treated."""

from __future__ import annotations

import argparse
from typing import Any

from .argument_types import count, instant, metadata_pair, seconds
from .manual_pages import add_page
from .task_filters import PRIORITIES

__all__ = ["add_submission_page", "task_options", "task_words"]


def add_submission_page(commands: Any, connection: argparse.ArgumentParser) -> None:
    """Adds `submit`."""
    parser = add_page(
        commands,
        "submit",
        help="submit a task, and print its id",
        about="The data of the task are its TYPE, which names the handler, and fields: NAME=TEXT, or"
        " NAME:=JSON for numbers, lists and the like. The service is asked again, under the same"
        " Idempotency-Key, where its answer is lost: it is one task however often. Warnings, such as that"
        " no agent could do it, go to stderr.",
        examples=[
            "coordinator submit keywords path=library/on-queues.md --priority high",
            "coordinator submit resize image=cat.png width:=640 --capability gpu --wait",
            "coordinator submit --data @task.json --delay 10m --tag nightly",
            "coordinator submit --each tasks.jsonl --group report-7",
            "ID=$(coordinator submit word-count text='a b'); coordinator wait $ID",
        ],
        parents=[connection],
    )
    task_words(parser)
    parser.add_argument(
        "--each",
        metavar="FILE",
        help="many tasks: the data of one, in JSON, on each line; - is stdin",
    )
    task_options(parser)
    parser.add_argument(
        "--idempotency-key",
        metavar="KEY",
        help="of your own: safe over a restart of your script, for a day",
    )
    after = parser.add_mutually_exclusive_group()
    after.add_argument(
        "--wait", action="store_true", help="wait for its end, and print its result in JSON"
    )
    after.add_argument(
        "--follow", "-f", action="store_true", help="show what happens to it, up to its end"
    )
    parser.add_argument(
        "--timeout", type=seconds, metavar="TIME", help="of --wait and --follow; the task goes on"
    )


def task_words(parser: argparse.ArgumentParser) -> None:
    """Adds the data of a task: `TYPE NAME=VALUE…` and `--data`."""
    parser.add_argument(
        "words", nargs="*", metavar="TYPE NAME=VALUE", help="the task_type, and fields of the data"
    )
    parser.add_argument(
        "--data",
        metavar="JSON",
        help="the data, an object; @FILE reads it from there, - from stdin; words go on top",
    )


def task_options(parser: argparse.ArgumentParser, *, own_id: bool = True) -> None:
    """Adds what may be said of a task beside its data. ``own_id``: with `--id`."""
    group = parser.add_argument_group("task")
    parser.set_defaults(task_id=None)
    group.add_argument("--priority", choices=PRIORITIES, help="default normal")
    if own_id:
        group.add_argument("--id", dest="task_id", metavar="ID", help="an id of your own for it")
    group.add_argument(
        "--capability",
        action="append",
        default=[],
        metavar="NAME",
        help="its agent has it; repeatable",
    )
    group.add_argument(
        "--service",
        action="append",
        default=[],
        metavar="NAME",
        help="its agent has it; repeatable",
    )
    group.add_argument("--agent-type", metavar="TYPE", help="its agent is of this type")
    group.add_argument("--agent", metavar="ID", help="its agent is this one")
    group.add_argument("--group", help="what it belongs to, in a word of your own")
    group.add_argument(
        "--tag", action="append", default=[], help="a word to find it by; repeatable"
    )
    group.add_argument(
        "--metadata",
        action="append",
        default=[],
        type=metadata_pair,
        metavar="NAME=VALUE",
        help="anything about it that is not work; repeatable",
    )
    group.add_argument("--max-attempts", type=count, metavar="N", help="before it is dead")
    group.add_argument(
        "--attempt-timeout", type=seconds, metavar="TIME", help="that one attempt may take"
    )
    due = group.add_mutually_exclusive_group()
    due.add_argument("--delay", type=seconds, metavar="TIME", help="until it goes on its queue")
    due.add_argument("--not-before", type=instant, metavar="WHEN", help="the same as an instant")
    group.add_argument(
        "--expires-in", type=seconds, metavar="TIME", help="within which it must start"
    )
    group.add_argument("--callback", metavar="URL", help="is told when it has ended")
