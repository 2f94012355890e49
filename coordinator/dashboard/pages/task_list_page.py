"""Collects a page of the tasks that match filters, the newest first."""

from __future__ import annotations

from datetime import UTC, datetime

from coordinator.dashboard.form_fields import FormRefused
from coordinator.dashboard.viewer import Page, Viewer

from .untold_things import UntoldThings

__all__ = ["PRIORITIES", "STATES", "task_list"]

STATES = (
    *("scheduled", "queued", "running", "input_required", "waiting"),
    *("completed", "dead", "cancelled", "expired"),
)
PRIORITIES = ("urgent", "critical", "high", "normal", "low")

ON_A_PAGE = 50

FILTERS = (
    *("state", "priority", "agent", "task_type", "capability", "service", "agent_type"),
    *("group", "parent_id", "tag", "metadata", "submitted_after", "submitted_before"),
)


async def task_list(viewer: Viewer) -> Page:
    """The filters are those of the API, by the same names. Pages go by cursor, so that the last is as
    quick as the first.
    """
    found = await viewer.client.tasks(
        state=viewer.all("state"),
        priority=viewer.all("priority"),
        agent=viewer.text("agent"),
        task_type=viewer.text("task_type"),
        submitted_after=_instant(viewer, "submitted_after"),
        submitted_before=_instant(viewer, "submitted_before"),
        limit=ON_A_PAGE,
        cursor=viewer.text("cursor"),
        **{name: viewer.all(name) for name in ("capability", "service", "tag", "metadata")},
        **{
            name: value
            for name in ("agent_type", "group", "parent_id")
            if (value := viewer.text(name))
        },
    )
    filters = {name: viewer.all(name) for name in FILTERS}
    tasks, untold = found.items, UntoldThings()
    if (parent := viewer.text("parent_id")) and any(task.parent_id != parent for task in tasks):
        tasks = ()  # what a service does not know as a filter it passes over
        untold.add("which task has submitted a task")
    return Page(
        template="task_list",
        title="Tasks",
        values={
            "tasks": tasks,
            "next_cursor": found.next_cursor,
            "filters": filters,
            "filtered": any(filters.values()),
            "states": STATES,
            "priorities": PRIORITIES,
            "first_page": viewer.text("cursor") is None,
        },
        events=("task.*",),
        untold=untold.sentence,
    )


def _instant(viewer: Viewer, name: str) -> datetime | None:
    """As RFC 3339; what has no offset, as browsers send it, is UTC. Raises `FormRefused`."""
    text = viewer.text(name)
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        what = name.replace("_", " ").capitalize()
        raise FormRefused(f"{what} is no instant: write 2026-01-31T12:00 in UTC") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
