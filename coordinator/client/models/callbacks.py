"""Describes deliveries of callbacks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

__all__ = ["CallbackDelivery", "CallbacksRedriven"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackDelivery:
    """Is one event that the URL of a task is told."""

    webhook_id: str
    task_id: str
    url: str = ""
    secret_ref: str = ""
    event: str = ""
    state: str = ""
    """`pending`, `delivered`, `dead` and so on."""
    attempts: int = 0
    """Tries whose outcome is known."""
    ordered_at: datetime | None = None
    next_try_at: datetime | None = None
    last_try_at: datetime | None = None
    last_status: int | None = None
    """What the receiver answered to the last try."""
    last_error: str | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbacksRedriven:
    """Counts the dead callbacks that are tried again."""

    dry_run: bool = False
    redriven: int = 0
    """Or, with `dry_run`, how many would be."""
