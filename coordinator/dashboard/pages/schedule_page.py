"""Collects the schedules: when each runs next, and how its last run went."""

from __future__ import annotations

from coordinator.dashboard.viewer import Page, Viewer

__all__ = ["schedule_list"]

ON_A_PAGE = 100


async def schedule_list(viewer: Viewer) -> Page:
    """Shown anew each two seconds: a tick is no event of its own."""
    found = await viewer.client.schedules(limit=ON_A_PAGE, cursor=viewer.text("cursor"))
    return Page(
        template="schedule_list",
        title="Schedules",
        values={"schedules": found.items, "next_cursor": found.next_cursor},
        every=2.0,
    )
