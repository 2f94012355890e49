"""Asks for dead tasks, and redrives them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypedDict, Unpack

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
    group: str
    tags: Iterable[str]
    """All of them."""
    metadata: Mapping[str, Any]
    """Values under keys that the service's `COORDINATOR_METADATA_KEYS` names."""


def dead(
    *, limit: int | None = None, cursor: str | None = None, **filters: Unpack[DeadFilter]
) -> Call[DeadTasks]:
    """How many tasks died of what, and a page of them, the last that died first."""
    query: dict[str, Any] = {**filters, "limit": limit, "cursor": cursor}
    query["tag"] = list(query.pop("tags", ()))
    query["metadata"] = [_pair(*one) for one in query.pop("metadata", {}).items()]
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
    body: dict[str, Any] = {
        **filters,
        "dry_run": dry_run,
        "rate_per_second": rate_per_second,
        "limit": limit,
    }
    if "tags" in filters:
        body["tags"] = list(filters["tags"])
    asked = request("POST", "tasks", "dead", "redrive", json_body=body, repeatable=dry_run is True)
    return Call(asked, lambda answer: read_as(Redriven, answer))


def _pair(key: str, value: Any) -> str:
    return f"{key}={value if isinstance(value, str) else json.dumps(value)}"
