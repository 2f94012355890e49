"""Collects the schedules: when each runs next, and how its last run went."""

from __future__ import annotations

from coordinator.dashboard.viewer import Page, Viewer

from .untold_things import UntoldThings

__all__ = ["schedule_list"]

ON_A_PAGE = 100


async def schedule_list(viewer: Viewer) -> Page:
    """Shown anew each two seconds: a tick is no event of its own."""
    found = await viewer.client.schedules(limit=ON_A_PAGE, cursor=viewer.text("cursor"))
    untold = UntoldThings()
    due = [one for one in found if one.next_at and not one.paused and not one.last_error]
    if not all(one.next_ticks for one in due):
        untold.add("more than the next tick of a schedule")
    return Page(
        template="schedule_list",
        title="Schedules",
        values={"schedules": found.items, "next_cursor": found.next_cursor},
        every=2.0,
        untold=untold.sentence,
    )
