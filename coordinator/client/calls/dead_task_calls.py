"""Asks for dead tasks, and redrives them."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict, Unpack

from coordinator.client.exchange.answer_reading import read_as
from coordinator.client.exchange.http_messages import Call, request
from coordinator.client.models.dead_tasks import DeadTasks, Redriven

__all__ = ["DeadFilter", "dead", "redrive"]


class DeadFilter(TypedDict, total=False):
    """Selects the dead tasks that match all that is given."""

    error_type: str
    lane: str
    task_type: str
    submitted_from: datetime
    submitted_before: datetime


def dead(
    *, limit: int | None = None, cursor: str | None = None, **filters: Unpack[DeadFilter]
) -> Call[DeadTasks]:
    """How many tasks died of what, and a page of them, the last that died first."""
    query = {**filters, "limit": limit, "cursor": cursor}
    return Call(request("GET", "tasks", "dead", query=query), lambda body: read_as(DeadTasks, body))


def redrive(
    *,
    dry_run: bool | None = None,
    rate_per_second: float | None = None,
    limit: int | None = None,
    **filters: Unpack[DeadFilter],
) -> Call[Redriven]:
    """Send the dead tasks that match round again, all of them where no filter is given; with ``dry_run`` only
    count them.
    """
    body = {**filters, "dry_run": dry_run, "rate_per_second": rate_per_second, "limit": limit}
    asked = request("POST", "tasks", "dead", "redrive", json_body=body, repeatable=dry_run is True)
    return Call(asked, lambda answer: read_as(Redriven, answer))
