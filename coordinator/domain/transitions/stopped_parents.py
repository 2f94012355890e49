"""Decides which follow-up tasks are cancelled with their parent, of those that asked for it. Pure.

    parent cancelled or expired ─▶ they are cancelled, and in the same way those below them
    parent completed or dead    ─▶ they go on

A task asks for it with the generation of its parent in which it was submitted. So what a person does later
counts: a parent that is sent round again submits anew, and a follow-up task that is sent round again goes on.
"""

from __future__ import annotations

from collections.abc import Mapping

from coordinator.domain.task import State, Task

__all__ = ["STOPPING", "comes_too_late", "stopped_now"]

STOPPING = frozenset({State.CANCELLED, State.EXPIRED})
"""How a parent ends with which its follow-up tasks are cancelled."""


def stopped_now(left: Mapping[tuple[str, str], Task]) -> dict[str, int]:
    """The tasks that were stopped by one of some events, each with its generation. ``left`` is the task as
    each event, by its id and its author, has left it.
    """
    return {
        task.task_id: task.generation
        for event, task in left.items()
        if task.state in STOPPING and event == (task.outcome, "")
    }


def comes_too_late(child: Task, parent: Task) -> bool:
    """Whether ``child``, which was not known before, was submitted for a ``parent`` that had been stopped by
    then, or that was even sent round again since.
    """
    bound = child.cancel_with_parent
    return bound is not None and (
        parent.generation > bound or (parent.generation == bound and parent.state in STOPPING)
    )
