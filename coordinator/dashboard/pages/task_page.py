"""Collects one task: its attempts, data, result, error, output, and why it is where it is."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from coordinator.client import ENDED
from coordinator.dashboard.text_formats import pretty_json
from coordinator.dashboard.viewer import Page, Viewer

from .attempt_bars import attempt_rows
from .untold_things import UntoldThings

__all__ = ["one_task"]

MOST_EVENTS = 200
"""Of the timeline, on a page of it."""

LARGEST_SHOWN = 200_000
"""Characters of data and of a result; more is left to the API."""


async def one_task(viewer: Viewer) -> Page:
    """Shown anew when something happens to it."""
    client, task_id = viewer.client, viewer.path["task_id"]
    untold = UntoldThings()
    timeline_asked = client.timeline(task_id, limit=MOST_EVENTS, cursor=viewer.text("cursor"))
    task, timeline, explanation = await asyncio.gather(
        client.task(task_id),
        untold.told(timeline_asked, "what has happened to a task"),
        untold.told(client.explain(task_id), "why a task is where it is"),
    )
    events = () if timeline is None else timeline.items
    return Page(
        template="task",
        title=f"Task {task.task_id}",
        values={
            "task": task,
            "data": _shown(dict(task.task_data)),
            "result": _shown(task.result),
            "editable": pretty_json(dict(task.task_data)),
            "rows": attempt_rows(events, datetime.now(UTC)),
            "timeline": events,
            "next_cursor": None if timeline is None else timeline.next_cursor,
            "explanation": explanation,
            "ended": task.state in ENDED,
            "retryable": task.state in {"dead", "expired", "cancelled"},
            "cancellable": task.state not in ENDED,
        },
        untold=untold.sentence,
    )


def _shown(value: object) -> str:
    text = pretty_json(value)
    if len(text) <= LARGEST_SHOWN:
        return text
    return f"{text[:LARGEST_SHOWN]}\n… {len(text) - LARGEST_SHOWN} more characters: GET /tasks/{{task_id}}"
