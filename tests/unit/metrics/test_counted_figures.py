"""What was counted can be told as JSON, added up, and gone on with."""

from __future__ import annotations

import json

from coordinator.metrics.counted_figures import CountedFigures, Latencies
from coordinator.metrics.metric_catalogue import CATALOGUE, FOLDED, PREFIX, START, SUBMITTED, Kind


def test_a_duration_counts_in_the_first_bucket_that_is_no_smaller() -> None:
    found = Latencies((0.1, 1.0))
    for seconds in (0.0, 0.1, 0.2, 1.0, 1.5):
        found.observe(seconds)
    assert found.counts == [2, 2, 1]
    assert found.number == 5
    assert round(found.total, 6) == 2.8


def test_figures_of_several_processes_are_added_up_through_json() -> None:
    first, second = CountedFigures(), CountedFigures()
    first.counter(SUBMITTED)[("high", "single")] += 2
    second.counter(SUBMITTED)[("high", "single")] += 3
    second.counter(SUBMITTED)[("low", "batch")] += 1
    first.histogram(START, "high").observe(0.2)
    second.histogram(START, "high").observe(700.0)
    parts = [json.loads(json.dumps(one.as_plain())) for one in (first, second)]
    total = CountedFigures.sum_of(parts)
    assert dict(total.counter(SUBMITTED)) == {("high", "single"): 5, ("low", "batch"): 1}
    assert total.histogram(START, "high").number == 2
    assert total.histogram(START, "high").total == 700.2


def test_whoever_counts_goes_on_from_what_was_added_to_its_figures() -> None:
    before, now = CountedFigures(), CountedFigures()
    before.histogram(START, "low").observe(1.0)
    before.counter(FOLDED)[()] += 7
    mine, events = now.histogram(START, "low"), now.counter(FOLDED)
    now.add(before.as_plain())
    mine.observe(2.0)
    events[()] += 1
    assert now.histogram(START, "low").number == 2
    assert dict(now.counter(FOLDED)) == {(): 8}


def test_figures_of_another_version_are_left_out_where_they_are_not_known() -> None:
    now = CountedFigures()
    now.add({"counters": {"coordinator_gone_total": [[[], 1]]}, "latencies": {}})
    now.add({"counters": {}, "latencies": {START.name: [[["low"], [1, 2], 3.0]]}})
    assert now.as_plain() == {"counters": {}, "latencies": {}}


def test_names_have_one_prefix_and_the_endings_of_their_kinds_and_units() -> None:
    names = [metric.name for metric in CATALOGUE]
    assert len(names) == len(set(names)) > 30
    for metric in CATALOGUE:
        assert metric.name.startswith(PREFIX)
        assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
        if metric.kind is Kind.HISTOGRAM:
            assert metric.name.endswith("_seconds")
            assert list(metric.bounds) == sorted(set(metric.bounds))
        assert "task_id" not in metric.labels
        assert metric.help.endswith(".")
