"""A stand-in for the deliveries of callbacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from coordinator.domain.callbacks.callback_delivery import CallbackDelivery, DeliveryState
from coordinator.registry.stores.callback_deliveries import (
    CallbackFilter,
    CallbackPage,
    CallbackPlace,
)

__all__ = ["FakeCallbacks", "a_delivery"]

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)


def a_delivery(**changes: Any) -> CallbackDelivery:
    return replace(
        CallbackDelivery(
            webhook_id="msg_1",
            task_id="task-1",
            event="completed",
            url="https://app.example.org/hooks",
            secret_ref="default",
            state=DeliveryState.PENDING,
            attempts=2,
            ordered_at=AT,
            since=AT,
            due_at=AT,
            tried_at=AT,
            status=503,
            error="The receiver answered 503",
        ),
        **changes,
    )


class FakeCallbacks:
    """Has one delivery, and remembers what it was asked for."""

    def __init__(self, fail: Callable[[], None]) -> None:
        self._fail = fail
        self.asked: list[CallbackFilter] = []
        self.following: CallbackPlace | None = None
        self.after: list[CallbackPlace | None] = []
        self.dead = 3
        """How many a redrive finds."""

    async def page(
        self, wanted: CallbackFilter, *, after: CallbackPlace | None, limit: int
    ) -> CallbackPage:
        self._fail()
        self.asked.append(wanted)
        self.after.append(after)
        return CallbackPage(deliveries=[a_delivery()][:limit], following=self.following)

    async def redrive(self, wanted: CallbackFilter, *, dry_run: bool) -> int:
        self._fail()
        self.asked.append(wanted)
        return self.dead
