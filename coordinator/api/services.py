"""The objects that the endpoints use, as one value, and how an endpoint gets at them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends, Request

from coordinator.submission.limits import Limits

from .ports import (
    Browses,
    Cancels,
    Clears,
    CommandsAgents,
    DeletesTasks,
    DoesOnce,
    Explains,
    KeepsSchedules,
    ListsDead,
    Queries,
    Redrives,
    Submits,
    SubmitsMany,
    TellsLines,
)
from .queue_sizes import QueueSizes

__all__ = ["Services", "Wired"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """All that the API needs; made by bootstrap."""

    submitter: Submits
    batches: SubmitsMany
    once: DoesOnce
    clearer: Clears
    canceller: Cancels
    redriver: Redrives
    dead_tasks: ListsDead
    deletion: DeletesTasks
    registry: Queries
    registrar: CommandsAgents
    explainer: Explains
    schedules: KeepsSchedules
    browsing: Browses
    queue_sizes: QueueSizes
    queue_lines: TellsLines
    version: str
    problems: Callable[[], Sequence[str]] = tuple
    """What keeps the service from its work at this moment, one sentence each; empty when well."""
    obstacles: Callable[[], Sequence[str]] = tuple
    """Those of the problems that keep tasks from being submitted."""
    limits: Limits = field(default_factory=Limits)
    max_body_bytes: int = 1024 * 1024
    max_batch_bytes: int = 16 * 1024 * 1024


async def _wired(request: Request) -> Services:
    return cast("Services", request.app.state.services)


Wired = Annotated[Services, Depends(_wired)]
"""The type of an endpoint's parameter that is given the services."""
