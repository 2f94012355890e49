"""Names the function of each command of the API."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .commands.dead_task_commands import dead, redrive
from .commands.ends_of_tasks import wait
from .commands.events_command import events
from .commands.fleet_commands import clear, drain, health, list_agents, queues, show_agent
from .commands.group_actions import callbacks, groups
from .commands.invocation import Invocation
from .commands.schedule_actions import schedules
from .commands.submit_command import submit
from .commands.task_changes import answer, cancel, retry
from .commands.task_lookups import explain, list_tasks, questions, show_task
from .commands.top_command import top

__all__ = ["COMMANDS"]

COMMANDS: Mapping[str, Callable[[Invocation], int]] = {
    "agent": show_agent,
    "agents": list_agents,
    "answer": answer,
    "callbacks": callbacks,
    "cancel": cancel,
    "clear": clear,
    "dead": dead,
    "drain": drain,
    "events": events,
    "explain": explain,
    "groups": groups,
    "health": health,
    "queues": queues,
    "questions": questions,
    "redrive": redrive,
    "retry": retry,
    "schedules": schedules,
    "submit": submit,
    "task": show_task,
    "tasks": list_tasks,
    "top": top,
    "wait": wait,
}
