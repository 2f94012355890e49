"""Figures are written so that Prometheus' own reader finds them again."""

from __future__ import annotations

from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families

from coordinator.metrics.counted_figures import CountedFigures
from coordinator.metrics.exposition import exposition
from coordinator.metrics.metric_catalogue import CATALOGUE, DEAD, LISTENING, QUEUE_TASKS, SUBMIT

OPEN = "application/openmetrics-text; version=1.0.0"


def some() -> tuple[CountedFigures, dict[str, dict[tuple[str, ...], float]]]:
    counted = CountedFigures()
    counted.counter(DEAD)[('an "odd"\\one\n',)] += 3
    for seconds in (0.001, 0.3, 60.0):
        counted.histogram(SUBMIT, "single").observe(seconds)
    return counted, {LISTENING.name: {(): 2}, QUEUE_TASKS.name: {("high", "cap:gpu"): 5}}


def test_values_and_labels_come_out_as_they_went_in() -> None:
    text, media_type = exposition(*some(), accept="")
    assert media_type.startswith("text/plain")
    found = {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }
    assert found[("coordinator_tasks_dead_total", 'an "odd"\\one\n')] == 3
    assert found[("coordinator_agents_listening",)] == 2
    assert found[("coordinator_queue_tasks", "cap:gpu", "high")] == 5
    assert found[("coordinator_submit_seconds_bucket", "0.001", "single")] == 1
    assert found[("coordinator_submit_seconds_bucket", "0.25", "single")] == 1
    assert found[("coordinator_submit_seconds_bucket", "0.5", "single")] == 2
    assert found[("coordinator_submit_seconds_bucket", "+Inf", "single")] == 3
    assert found[("coordinator_submit_seconds_count", "single")] == 3
    assert round(found[("coordinator_submit_seconds_sum", "single")], 6) == 60.301


def test_open_metrics_is_written_where_it_is_asked_for() -> None:
    text, media_type = exposition(*some(), accept=OPEN)
    assert media_type.startswith("application/openmetrics-text")
    families = open_metrics(text.decode())  # type: ignore[no-untyped-call]
    assert {family.name for family in families} == {
        "coordinator_tasks_dead",
        "coordinator_agents_listening",
        "coordinator_queue_tasks",
        "coordinator_submit_seconds",
    }


def test_every_metric_of_the_catalogue_can_be_written() -> None:
    counted = CountedFigures()
    current: dict[str, dict[tuple[str, ...], float]] = {}
    for metric in CATALOGUE:
        labels = tuple("x" for _ in metric.labels)
        if metric.bounds:
            counted.histogram(metric, *labels).observe(1.0)
        else:
            current[metric.name] = {labels: 1}
    text, _ = exposition(counted, current, "")
    families = list(text_string_to_metric_families(text.decode()))
    assert len(families) == len(CATALOGUE)
    assert {family.documentation for family in families} == {one.help for one in CATALOGUE}
