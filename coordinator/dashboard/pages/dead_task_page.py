"""Collects the dead tasks by error, a page of them, and what a redrive of the same filters would take."""

from __future__ import annotations

from coordinator.client.calls.dead_task_calls import DeadFilter
from coordinator.dashboard.viewer import Page, Viewer

__all__ = ["dead_list"]

ON_A_PAGE = 50


async def dead_list(viewer: Viewer) -> Page:
    """Shown anew when a task dies, or is tried again."""
    filters = DeadFilter()
    for name in ("error_type", "lane", "task_type"):
        if (value := viewer.text(name)) is not None:
            filters[name] = value
    found = await viewer.client.dead(limit=ON_A_PAGE, cursor=viewer.text("cursor"), **filters)
    return Page(
        template="dead_list",
        title="Dead",
        values={"dead": found, "filters": dict(filters), "next_cursor": found.next_cursor},
        events=("task.failed", "task.lost", "task.declined", "task.submitted", "task.started"),
        every=5.0,
    )
