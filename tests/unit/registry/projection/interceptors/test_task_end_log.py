"""One line for each task that ends, however it ended and however often that was told."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest

from coordinator.protocol.messages.events import Event
from coordinator.protocol.task_token import task_token
from coordinator.protocol.trace_context import TraceContext
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.projection.interceptors.task_end_log import TaskEndLog
from tests.unit.domain.histories import cancelled, expired, failed, started
from tests.unit.registry.projection.test_fold_interceptors import project
from tests.unit.registry.projection.test_projector import SECRET, done, said, task

TRACE = TraceContext("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")


def ends(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [vars(one) for one in caplog.records if one.message == "a task has ended"]


def failure(**more: Any) -> Event:
    return failed(task_token=task_token(SECRET, "t", 1, 1), **more)


async def test_an_end_is_told_once_with_its_outcome_and_its_seconds(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    end = replace(done(), trace=TRACE)
    with caplog.at_level(logging.INFO):
        for batch in ([task(), said(started()), said(end), said(end)], [said(end), said(done())]):
            await project(ledger, *batch, interceptors=[TaskEndLog()])
    (line,) = ends(caplog)
    assert line["levelname"] == "INFO"
    assert (line["task_id"], line["task_type"], line["attempt"]) == ("t", "no-op", 1)
    assert (line["agent_id"], line["outcome"], line["seconds"]) == ("ada", "completed", 3.0)
    assert line["trace_id"] == TRACE.trace_id


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        (cancelled(), "cancelled"),
        (expired(), "expired"),
        (failure(retryable=False), "dead"),
        (failure(), None),
    ],
    ids=["cancelled", "expired", "dead", "another attempt follows"],
)
async def test_whatever_ends_a_task_is_told_and_nothing_else(
    ledger: Ledger, caplog: pytest.LogCaptureFixture, end: Event, outcome: str | None
) -> None:
    with caplog.at_level(logging.INFO):
        await project(ledger, task(), interceptors=[TaskEndLog()])
        assert ends(caplog) == []
        await project(ledger, said(end), interceptors=[TaskEndLog()])
    assert [line["outcome"] for line in ends(caplog)] == ([] if outcome is None else [outcome])


async def test_nothing_is_told_where_the_level_is_above(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        await project(ledger, task(), said(done()), interceptors=[TaskEndLog()])
    assert ends(caplog) == []
