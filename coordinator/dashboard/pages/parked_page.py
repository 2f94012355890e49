"""Collects the messages that could not be taken as events: a page of them, or one in full."""

from __future__ import annotations

from coordinator.dashboard.viewer import Page, Viewer

__all__ = ["parked_list", "parked_one"]

ON_A_PAGE = 50


async def parked_list(viewer: Viewer) -> Page:
    """The latest first."""
    found = await viewer.client.parked(limit=ON_A_PAGE, cursor=viewer.text("cursor"))
    return Page(
        template="parked_list",
        title="Parked",
        values={"parked": found, "next_cursor": found.next_cursor},
        every=5.0,
    )


async def parked_one(viewer: Viewer) -> Page:
    """With its properties, and more of its body."""
    message = await viewer.client.parked_message(int(viewer.path["position"]))
    return Page(
        template="parked_message",
        title=f"Parked message {message.position}",
        values={"message": message},
    )
