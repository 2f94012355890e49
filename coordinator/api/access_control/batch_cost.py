"""Counts a batch of tasks as its tasks: the request itself was counted as one before it was read."""

from __future__ import annotations

from starlette.types import Scope

from coordinator.access.request_rates import RequestRates

from .authentication import spender

__all__ = ["spend_batch"]


def spend_batch(rates: RequestRates | None, scope: Scope, tasks: int) -> None:
    """Raises `TooManyRequests`, or `InvalidRequest` for more tasks than are ever allowed."""
    if rates is not None and tasks > 1:
        rates.spend(spender(scope), tasks, paid=1)
