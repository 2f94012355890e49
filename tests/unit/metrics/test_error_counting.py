"""Answers that are errors are counted by status code, and no code has a series that is not known before."""

from __future__ import annotations

from coordinator.api.error_table import STATUSES
from coordinator.metrics.counted_figures import CountedFigures
from coordinator.metrics.counters.error_counting import CODES, OTHER, ErrorCounting
from coordinator.metrics.metric_catalogue import HTTP_ERRORS


def test_each_code_counts_by_itself_from_zero_and_unknown_ones_together() -> None:
    figures = CountedFigures()
    counting = ErrorCounting(figures)
    assert figures.counter(HTTP_ERRORS)[("421",)] == 0
    for status in (401, 401, 403, 418, 599):
        counting.note(status)
    counted = {labels: value for labels, value in figures.counter(HTTP_ERRORS).items() if value}
    assert counted == {("401",): 2, ("403",): 1, OTHER: 2}
    assert len(figures.counter(HTTP_ERRORS)) == len(CODES) + 1


def test_every_status_of_the_table_of_errors_is_known() -> None:
    assert set(STATUSES.values()) <= set(CODES)


def test_what_streams_refuse_is_known() -> None:
    assert {406, 426} <= set(CODES)  # not a stream's media type; no WebSocket
