"""Tells interceptors of each batch that the projector folds: before its transaction, and how it ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from coordinator.interceptor_calls import call_each
from coordinator.protocol.messages.events import Event
from coordinator.registry.ledger.batch_folding import FoldedBatch

__all__ = ["FoldInterceptor", "fold_intercepted"]


class FoldInterceptor(Protocol):
    """Sees every transaction in which the projector folds events, as traces and metrics do.

    Called on the event loop, so no method may block. Each transaction has one `before`, and after it
    one `folded` or `failed`; one projector has one transaction at a time. What a method raises is
    logged; the fold goes on.
    """

    def before(self, events: Sequence[Event]) -> None:
        """These events, in the order of the log, are about to be folded; some may be known already.
        Empty where the batch has only messages that are parked.
        """
        ...

    def folded(self, events: Sequence[Event], batch: FoldedBatch) -> None:
        """The transaction is committed; ``batch`` has which events were new, and what was parked."""
        ...

    def failed(self, events: Sequence[Event], error: BaseException) -> None:
        """Nothing was stored. The projector tries again, at once in smaller batches or after a pause."""
        ...


async def fold_intercepted(
    interceptors: Sequence[FoldInterceptor],
    events: Sequence[Event],
    fold: Callable[[], Awaitable[FoldedBatch]],
) -> FoldedBatch:
    """``fold`` is called once and runs the transaction; what it raises is raised here."""
    call_each(interceptors, lambda one: one.before(events))
    try:
        batch = await fold()
    except BaseException as exc:
        error = exc
        call_each(interceptors, lambda one: one.failed(events, error))
        raise
    call_each(interceptors, lambda one: one.folded(events, batch))
    return batch
