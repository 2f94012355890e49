"""Writes figures in the formats that Prometheus reads. The only module that knows its library's formats."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .counted_figures import CountedFigures, Labels, Latencies
from .current_figures import Figures
from .metric_catalogue import CATALOGUE, Kind, Metric

__all__ = ["exposition"]


def exposition(counted: CountedFigures, current: Figures, accept: str) -> tuple[bytes, str]:
    """The text and its media type: OpenMetrics where ``accept`` asks for it, else the older format."""
    from prometheus_client import CollectorRegistry  # noqa: PLC0415 - takes a tenth of a second
    from prometheus_client.exposition import choose_encoder  # noqa: PLC0415

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(counted, current))
    encode, media_type = choose_encoder(accept)
    return encode(registry), media_type


_FAMILIES = {Kind.COUNTER: "CounterMetricFamily", Kind.GAUGE: "GaugeMetricFamily"}


class _Collector:
    """Gives the families of the catalogue that have any value."""

    def __init__(self, counted: CountedFigures, current: Figures) -> None:
        self._counted = counted
        self._current = current

    def describe(self) -> list[Any]:
        return []

    def collect(self) -> Iterator[Any]:
        from prometheus_client import core  # noqa: PLC0415

        for metric in CATALOGUE:
            labels = list(metric.labels)
            if metric.kind is Kind.HISTOGRAM:
                buckets = core.HistogramMetricFamily(metric.name, metric.help, labels=labels)
                for key, one in self._counted.latencies.get(metric.name, {}).items():
                    buckets.add_metric(list(key), _buckets(one), one.total)
                family: core.Metric = buckets
            else:
                kind = _FAMILIES[metric.kind]
                family = values = getattr(core, kind)(metric.name, metric.help, labels=labels)
                for key, value in self._values(metric).items():
                    values.add_metric(list(key), value)
            if family.samples:
                yield family

    def _values(self, metric: Metric) -> dict[Labels, float]:
        counted: dict[Labels, float] = dict(self._counted.counters[metric.name])
        return {**counted, **self._current.get(metric.name, {})}


def _buckets(found: Latencies) -> list[tuple[str, float]]:
    """Each with those below it, as the format wants."""
    reached = 0
    told: list[tuple[str, float]] = []
    for bound, count in zip((*map(str, found.bounds), "+Inf"), found.counts, strict=True):
        reached += count
        told.append((bound, reached))
    return told
