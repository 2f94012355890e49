"""Parses the commands about tasks: look up, list, wait, cancel, retry, explain, answer."""

from __future__ import annotations

import argparse
from typing import Any

from .argument_types import seconds
from .manual_pages import add_page
from .task_filters import limit, list_filters

__all__ = ["add_task_pages"]


def add_task_pages(commands: Any, connection: argparse.ArgumentParser) -> None:
    """Adds the commands about tasks."""
    _add_lookups(commands, connection)
    _add_wait(commands, connection)
    _add_changes(commands, connection)
    _add_questions(commands, connection)


def _add_lookups(commands: Any, connection: argparse.ArgumentParser) -> None:
    task = add_page(
        commands,
        "task",
        help="show a task: its state, data, result or error",
        examples=[
            "coordinator task 7c9e6679",
            "coordinator task 7c9e6679 --follow",
            "coordinator task 7c9e6679 --timeline",
            "coordinator task 7c9e6679 --json | jq .result",
        ],
        parents=[connection],
    )
    task.add_argument("task_id", metavar="ID")
    what = task.add_mutually_exclusive_group()
    what.add_argument(
        "--follow",
        "-f",
        action="store_true",
        help="what happened, what happens, and what it says while it works, up to its end",
    )
    what.add_argument("--timeline", action="store_true", help="what happened to it")
    task.add_argument("--timeout", type=seconds, metavar="TIME", help="of --follow")

    tasks = add_page(
        commands,
        "tasks",
        help="list tasks, the newest first",
        examples=[
            "coordinator tasks --state running --state queued",
            "coordinator tasks --type keywords --since 2h --all --json",
        ],
        parents=[connection],
    )
    limit(tasks, 20)
    list_filters(tasks)

    explain = add_page(
        commands,
        "explain",
        help="say why a task is where it is",
        about="What waits before it, which agents could do it, and what keeps the others from it.",
        examples=["coordinator explain 7c9e6679"],
        parents=[connection],
    )
    explain.add_argument("task_id", metavar="ID")


def _add_wait(commands: Any, connection: argparse.ArgumentParser) -> None:
    wait = add_page(
        commands,
        "wait",
        help="wait for the end of tasks, and print their results",
        about="The result of one task is printed in JSON. Of several, each is a line as it ends. The exit"
        " status is 0 where all completed, 1 where one did not.",
        examples=[
            "coordinator wait 7c9e6679 --timeout 10m",
            "coordinator wait $A $B $C --json",
        ],
        parents=[connection],
    )
    wait.add_argument("task_ids", nargs="+", metavar="ID")
    wait.add_argument(
        "--timeout", type=seconds, metavar="TIME", help="how long at most; the tasks go on"
    )


def _add_changes(commands: Any, connection: argparse.ArgumentParser) -> None:
    cancel = add_page(
        commands,
        "cancel",
        help="end tasks that have not ended",
        examples=["coordinator cancel 7c9e6679 --reason 'the customer has withdrawn'"],
        parents=[connection],
    )
    cancel.add_argument("task_ids", nargs="+", metavar="ID")
    cancel.add_argument("--reason", help="for people; kept with the task")

    retry = add_page(
        commands,
        "retry",
        help="send a task that is dead, expired or cancelled round again",
        examples=[
            "coordinator retry 7c9e6679",
            "coordinator retry 7c9e6679 --data @mended.json --delay 5m",
        ],
        parents=[connection],
    )
    retry.add_argument("task_id", metavar="ID")
    retry.add_argument(
        "--data",
        metavar="JSON",
        help="in place of its data; @FILE reads them from there, - from stdin",
    )
    retry.add_argument("--delay", type=seconds, metavar="TIME", help="until it goes on its queue")


def _add_questions(commands: Any, connection: argparse.ArgumentParser) -> None:
    questions = add_page(
        commands,
        "questions",
        help="list the tasks that wait for people, and what they ask",
        examples=["coordinator questions"],
        parents=[connection],
    )
    limit(questions, 20)

    answer = add_page(
        commands,
        "answer",
        help="answer the question of a task",
        about="Without an ANSWER the question is shown, and on a terminal an answer is asked for.",
        examples=[
            "coordinator answer letter-1 yes",
            "coordinator answer letter-1 '{\"amount\": 12}' --as-json",
        ],
        parents=[connection],
    )
    answer.add_argument("task_id", metavar="ID")
    answer.add_argument("answer", nargs="?", metavar="ANSWER", help="a text")
    answer.add_argument(
        "--as-json", action="store_true", help="the answer is JSON: a number, an object, null"
    )
    answer.add_argument(
        "--question-id", metavar="ID", help="refuse it where the task asks something else by now"
    )
