"""Interceptors see every batch that the projector folds, and cannot spoil it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import pytest

from coordinator.protocol.messages.events import Event
from coordinator.registry.ledger.batch_folding import FoldedBatch
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.projection.command_sender import CommandSender
from coordinator.registry.projection.fold_interceptors import FoldInterceptor, fold_intercepted
from coordinator.registry.projection.log_decoder import LogDecoder
from coordinator.registry.projection.projector import ProjectionListeners, Projector
from coordinator.registry.projection.projector_fence import ProjectorFence
from tests.unit.domain.histories import started
from tests.unit.registry.fleet import Published
from tests.unit.registry.projection.test_projector import SECRET, done, said, task


class Seen:
    """Notes what an interceptor is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    def before(self, events: Sequence[Event]) -> None:
        self.calls.append(("before", types(events)))

    def folded(self, events: Sequence[Event], batch: FoldedBatch) -> None:
        self.calls.append(("folded", (types(events), types(batch.events))))

    def failed(self, events: Sequence[Event], error: BaseException) -> None:
        self.calls.append(("failed", (types(events), str(error))))


class Broken(Seen):
    """Raises whatever it is told."""

    def before(self, events: Sequence[Event]) -> None:
        raise LookupError("before")

    def folded(self, events: Sequence[Event], batch: FoldedBatch) -> None:
        raise LookupError("folded")


def types(events: Sequence[Event]) -> list[str]:
    return [event.type for event in events]


async def project(ledger: Ledger, *deliveries: Any, interceptors: Sequence[FoldInterceptor]) -> Any:
    folded: list[Event] = []
    fence = ProjectorFence(ledger)
    projector = Projector(
        fence=fence,
        reader=LogDecoder(secret=SECRET),
        commands=CommandSender(Published()),
        told=ProjectionListeners(folded=folded.extend),
        interceptors=interceptors,
    )
    await projector._patiently(fence.begin_epoch)
    await projector._store(projector._reader.read(deliveries))
    return folded


async def test_each_batch_is_seen_before_and_after_with_the_events_that_were_new(
    ledger: Ledger,
) -> None:
    seen = Seen()
    event = said(started())
    await project(ledger, task(), event, event, interceptors=[seen])
    read = ["task.submitted", "task.started", "task.started"]
    assert seen.calls == [("before", read), ("folded", (read, read[:2]))]


async def test_a_transaction_that_fails_is_seen_with_its_error() -> None:
    seen = Seen()

    async def fold() -> FoldedBatch:
        raise OverflowError("too large for a column")

    with pytest.raises(OverflowError):
        await fold_intercepted([seen], [done()], fold)
    kind = ["task.completed"]
    assert seen.calls == [("before", kind), ("failed", (kind, "too large for a column"))]


async def test_an_interceptor_that_raises_is_logged_and_the_batch_is_folded_and_seen_by_the_next(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    seen = Seen()
    with caplog.at_level(logging.ERROR):
        folded = await project(ledger, task(), interceptors=[Broken(), seen])
    assert types(folded) == ["task.submitted"]
    assert [name for name, _ in seen.calls] == ["before", "folded"]
    told = [record for record in caplog.records if record.message == "an interceptor failed"]
    assert [vars(record)["interceptor"] for record in told] == ["Broken", "Broken"]
