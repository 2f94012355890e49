"""Adds the commands of the API to the parser of the command line. Imports no package."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .arguments.connection_arguments import connection
from .arguments.dead_task_arguments import add_dead_task_pages
from .arguments.fleet_arguments import add_fleet_pages
from .arguments.group_arguments import add_group_pages
from .arguments.schedule_arguments import add_schedule_pages
from .arguments.stream_arguments import add_stream_pages
from .arguments.submission_arguments import add_submission_page
from .arguments.task_arguments import add_task_pages

__all__ = ["API_COMMANDS", "add_command_pages"]

API_COMMANDS: Sequence[tuple[str, Sequence[str]]] = (
    ("tasks", ("submit", "task", "tasks", "wait", "cancel", "retry", "explain")),
    ("people", ("questions", "answer")),
    ("the fleet", ("top", "events", "agents", "agent", "drain", "queues", "clear", "health")),
    ("many at once", ("groups", "dead", "redrive", "schedules", "callbacks")),
)
"""By what they are about, in the order of the help."""


def add_command_pages(commands: Any) -> None:
    """All but `agents`, which has actions that do not call the API."""
    shared = connection()
    add_submission_page(commands, shared)
    add_task_pages(commands, shared)
    add_stream_pages(commands, shared)
    add_fleet_pages(commands, shared)
    add_group_pages(commands, shared)
    add_dead_task_pages(commands, shared)
    add_schedule_pages(commands, shared)
