"""Asks for deliveries of callbacks, and tries dead ones again."""

from __future__ import annotations

from typing import Any

from coordinator.client.exchange.answer_reading import part, read_as
from coordinator.client.exchange.http_messages import Call, request
from coordinator.client.models.callbacks import CallbackDelivery, CallbacksRedriven
from coordinator.client.models.pages import Page

__all__ = ["callbacks", "redrive_callbacks"]


def callbacks(
    *,
    state: str | None = None,
    task_id: str | None = None,
    host: str | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Call[Page[CallbackDelivery]]:
    """A page of the deliveries that match, the latest first. ``host`` is that of their URL."""
    query = {"state": state, "task_id": task_id, "host": host, "limit": limit, "cursor": cursor}

    def read(body: dict[str, Any]) -> Page[CallbackDelivery]:
        found = read_as(tuple[CallbackDelivery, ...], part(body, "callbacks"))
        return Page(items=found, next_cursor=body.get("next_cursor"))

    return Call(request("GET", "callbacks", query=query), read)


def redrive_callbacks(
    *, task_id: str | None = None, host: str | None = None, dry_run: bool | None = None
) -> Call[CallbacksRedriven]:
    """Try the dead callbacks that match again at once, all of them where no filter is given; with ``dry_run``
    only count them.
    """
    body = {"task_id": task_id, "host": host, "dry_run": dry_run}
    asked = request("POST", "callbacks", "redrive", json_body=body, repeatable=dry_run is True)
    return Call(asked, lambda answer: read_as(CallbacksRedriven, answer))
