"""Does what forms ask for: each action calls the API, and says in a sentence what was done.

task_actions ....... cancel, retry, edit and redrive, delete, answer
dead_task_actions .. redrive by filters, or those that were selected; count what a redrive would take
fleet_actions ...... drain and remove agents, clear priorities, retire lanes
recurring_actions .. create, edit, run, pause, resume, delete

None knows another. Who may do what is the API's to decide; pages show what it would refuse as disabled.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from coordinator.dashboard.form_fields import Form
from coordinator.dashboard.viewer import Viewer

from . import dead_task_actions, fleet_actions, recurring_actions, task_actions

__all__ = ["ACTIONS"]

ACTIONS: Mapping[str, Callable[[Viewer, Form], Awaitable[str]]] = {
    "cancel": task_actions.cancel,
    "retry": task_actions.retry,
    "edit-and-redrive": task_actions.edit_and_redrive,
    "delete": task_actions.delete,
    "answer": task_actions.answer,
    "redrive": dead_task_actions.redrive,
    "retry-selected": dead_task_actions.retry_selected,
    "drain": fleet_actions.drain,
    "remove-agent": fleet_actions.remove_agent,
    "clear": fleet_actions.clear,
    "retire-lane": fleet_actions.retire_lane,
    "create-schedule": recurring_actions.create,
    "edit-schedule": recurring_actions.edit,
    "run-schedule": recurring_actions.run,
    "pause-schedule": recurring_actions.pause,
    "resume-schedule": recurring_actions.resume,
    "delete-schedule": recurring_actions.delete,
}
"""By the last part of the form's address."""
