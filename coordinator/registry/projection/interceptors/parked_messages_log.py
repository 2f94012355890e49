"""Counts the messages that were parked, and logs the first of each batch: a fold interceptor."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from coordinator.protocol.messages.events import Event
from coordinator.registry.ledger.batch_folding import FoldedBatch

__all__ = ["ParkedMessagesLog"]

logger = logging.getLogger(__name__)


class ParkedMessagesLog:
    """Warns once for each batch in which something was parked."""

    def __init__(self) -> None:
        self.count = 0
        """Messages parked since this was made."""

    def before(self, events: Sequence[Event]) -> None:
        """Nothing is parked yet."""

    def folded(self, events: Sequence[Event], batch: FoldedBatch) -> None:  # noqa: ARG002 - the port's
        if not batch.parked:
            return
        self.count += len(batch.parked)
        first = batch.parked[0]
        logger.warning(
            "parked messages that are no events",
            extra={
                "count": len(batch.parked),
                "first": first.reason,
                "routing_key": first.routing_key,
            },
        )

    def failed(self, events: Sequence[Event], error: BaseException) -> None:
        """Nothing was parked."""
