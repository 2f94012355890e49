"""Describes the person who looks at a page: their client, and what their roles let them do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import QueryParams

from coordinator.client import AsyncClient, Caller, NotFound

__all__ = ["Page", "Viewer", "caller_behind"]

EVERY_ROLE = ("reader", "producer", "operator", "admin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Asks for one page, or one action."""

    client: AsyncClient
    """Has the viewer's key."""
    caller: Caller
    query: QueryParams = field(default_factory=QueryParams)
    path: Mapping[str, str] = field(default_factory=dict)
    """What the path of the page names, such as `task_id`."""

    def has(self, *roles: str) -> bool:
        """Whether one of these roles is among the viewer's."""
        return any(role in self.caller.roles for role in roles)

    def text(self, name: str) -> str | None:
        """A parameter of the query; None where it is empty or missing."""
        return self.query.get(name, "").strip() or None

    def all(self, name: str) -> list[str]:
        """Each value of a parameter that may be given several times."""
        return [value.strip() for value in self.query.getlist(name) if value.strip()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Is what a page shows."""

    template: str
    """Its file, without `.html`."""
    title: str
    values: Mapping[str, Any] = field(default_factory=dict)
    """For the template."""
    events: tuple[str, ...] = ()
    """Types of events after which it is to be shown anew, such as `task.*`."""
    every: float | None = None
    """Seconds after which it is shown anew in any case."""
    untold: str | None = None
    """One sentence, where the service is too old for something on the page."""
    status: int = 200


async def caller_behind(client: AsyncClient) -> Caller:
    """Who the key is. A service that is older than the question says nothing of roles: its refusals do."""
    try:
        return await client.whoami()
    except NotFound:
        return Caller(roles=EVERY_ROLE)
