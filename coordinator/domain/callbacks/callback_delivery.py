"""Holds one delivery: an event of a task on its way to the URL that its producer named."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

__all__ = ["CallbackDelivery", "DeliveryState"]


class DeliveryState(StrEnum):
    """Names the states of a delivery."""

    #: it is tried when it is due
    PENDING = "pending"
    #: the receiver has answered 2xx
    DELIVERED = "delivered"
    #: it is not tried any more, unless somebody redrives it
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackDelivery:
    """Tells how one delivery stands."""

    webhook_id: str
    """The same for each try: the receiver knows by it what it has had before."""
    task_id: str
    event: str
    """The word for it: `started`, `retried`, or the state in which the task has ended."""
    url: str
    secret_ref: str
    state: DeliveryState
    attempts: int
    """Tries whose outcome is known."""
    ordered_at: datetime
    since: datetime
    """When trying began: with the order, or with the last redrive."""
    due_at: datetime
    """The next try, while it is pending."""
    tried_at: datetime | None = None
    """The last try."""
    status: int | None = None
    """What the receiver answered to that; None where it did not."""
    error: str | None = None
    """Why that did not deliver it, as a sentence."""
    ended_at: datetime | None = None
