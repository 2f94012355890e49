"""Names the groups of which tasks have ended with a batch, for those who wait for them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from coordinator.protocol.messages.events import Event
from coordinator.registry.ledger.batch_folding import FoldedBatch

__all__ = ["GroupEnds"]


class GroupEnds:
    """Is a `FoldInterceptor`. ``told`` is called with the ids of groups, each once for a batch; it neither
    waits nor raises.
    """

    def __init__(self, told: Callable[[Collection[str]], None]) -> None:
        self._told = told

    def before(self, events: Sequence[Event]) -> None:
        """Nothing has ended yet."""

    def folded(self, events: Sequence[Event], batch: FoldedBatch) -> None:  # noqa: ARG002 - the port's
        groups = {
            change.now.group
            for change in batch.changed
            if change.now.group is not None and change.ends
        }
        if groups:
            self._told(groups)

    def failed(self, events: Sequence[Event], error: BaseException) -> None:
        """Nothing has ended."""
