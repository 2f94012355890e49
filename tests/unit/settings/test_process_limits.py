"""Limits that each process counts by itself are told where there are several, or may be."""

from __future__ import annotations

from typing import Any

import pytest

from coordinator.settings import Settings, counted_apart

POSTGRESQL = "postgresql://localhost/coordinator"


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"http_workers": 4},
        {"database_url": POSTGRESQL, "max_callers_tasks": 9, "max_schedules": 9},
        {"rate_limit": "10/minute", "max_waiters": 5},
    ],
)
def test_where_one_process_counts_all_there_is_nothing_to_say(given: dict[str, Any]) -> None:
    assert counted_apart(Settings(**given)) is None


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"rate_limit": "10/minute", "http_workers": 4},
            "COORDINATOR_RATE_LIMIT: each of the 4 workers counts by itself",
        ),
        (
            {"rate_limit": "10/minute", "database_url": POSTGRESQL},
            "COORDINATOR_RATE_LIMIT: each coordinator on this database counts by itself",
        ),
        (
            {"max_waiters": 5, "rate_limit": "1/second", "database_url": POSTGRESQL}
            | {"http_workers": 2},
            "COORDINATOR_RATE_LIMIT and COORDINATOR_MAX_WAITERS: each of the 2 workers and each",
        ),
    ],
)
def test_where_several_count_it_is_said_by_whom(given: dict[str, Any], told: str) -> None:
    sentence = counted_apart(Settings(**given))
    assert sentence is not None
    assert sentence.startswith(told)
    assert sentence.endswith("as many times as there are processes that serve HTTP")
