"""Collects the tasks that wait for people, with what each asks."""

from __future__ import annotations

import asyncio
from typing import Any

from coordinator.client import AsyncClient, NotFound, Task
from coordinator.dashboard.viewer import Page, Viewer

__all__ = ["choices_of", "question_list"]

ON_A_PAGE = 20
"""Each is one call more."""


async def question_list(viewer: Viewer) -> Page:
    """Shown anew when a task asks or is answered."""
    found = await viewer.client.tasks(
        state="input_required", limit=ON_A_PAGE, cursor=viewer.text("cursor")
    )
    tasks = await asyncio.gather(*(_task(viewer.client, task.task_id) for task in found.items))
    asking = [task for task in tasks if task is not None and task.question is not None]
    return Page(
        template="question_list",
        title="Input wanted",
        values={
            "asking": [(task, choices_of(task)) for task in asking],
            "next_cursor": found.next_cursor,
        },
        events=("task.*",),
    )


async def _task(client: AsyncClient, task_id: str) -> Task | None:
    """None where it was deleted meanwhile."""
    try:
        return await client.task(task_id)
    except NotFound:
        return None


def choices_of(task: Task) -> list[Any]:
    """Of which one has to be taken; none where the question has no list of choices."""
    question = task.question.question if task.question is not None else None
    found = question.get("choices") if isinstance(question, dict) else None
    return found if isinstance(found, list) else []
