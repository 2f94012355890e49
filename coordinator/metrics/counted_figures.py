"""Keeps the counters and histograms of one process as plain numbers, and adds up those of several.

Whoever counts holds the dictionary or the histogram itself and changes it on the event loop, without a lock:
a count costs a tenth of a microsecond, so that a submission does not feel it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .metric_catalogue import CATALOGUE, Metric

__all__ = ["CountedFigures", "Labels", "Latencies"]

Labels = tuple[str, ...]
"""The values of a metric's labels, in its order."""

_KNOWN = {metric.name: metric for metric in CATALOGUE}


@dataclass(slots=True)
class Latencies:
    """Counts durations into buckets. ``counts`` has one for each bound, and one for what is greater."""

    bounds: tuple[float, ...]
    counts: list[int] = field(default_factory=list)
    total: float = 0.0
    """Seconds, over all."""

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * (len(self.bounds) + 1)

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    @property
    def number(self) -> int:
        """How many were counted."""
        return sum(self.counts)


class CountedFigures:
    """Holds what was counted, by metric and labels."""

    def __init__(self) -> None:
        self.counters: defaultdict[str, defaultdict[Labels, float]] = defaultdict(_zeros)
        self.latencies: defaultdict[str, dict[Labels, Latencies]] = defaultdict(dict)

    def counter(
        self, metric: Metric, from_zero: Iterable[Labels] = ()
    ) -> defaultdict[Labels, float]:
        """The counts of one metric, to be changed. Those ``from_zero`` are told before anything is counted:
        Prometheus takes no increase from a series that was not there.
        """
        counts = self.counters[metric.name]
        for labels in from_zero:
            counts[labels] += 0
        return counts

    def histogram(self, metric: Metric, *labels: str) -> Latencies:
        """The histogram of these labels; made where it is new."""
        found = self.latencies[metric.name].get(labels)
        if found is None:
            found = self.latencies[metric.name][labels] = Latencies(metric.bounds)
        return found

    def as_plain(self) -> dict[str, Any]:
        """All of it as JSON may have it."""
        return {
            "counters": {
                name: [[list(labels), value] for labels, value in counts.items()]
                for name, counts in self.counters.items()
            },
            "latencies": {
                name: [[list(labels), one.counts, one.total] for labels, one in found.items()]
                for name, found in self.latencies.items()
            },
        }

    def add(self, plain: Mapping[str, Any]) -> None:
        """Add what `as_plain` of another, or of an earlier process, gave. What this version does not know is
        left out.
        """
        for name, counts in plain["counters"].items():
            if name in _KNOWN:
                for labels, value in counts:
                    self.counters[name][tuple(labels)] += value
        for name, found in plain["latencies"].items():
            metric = _KNOWN.get(name)
            for labels, counts, total in found:
                if metric is None or len(counts) != len(metric.bounds) + 1:
                    continue
                mine = self.histogram(metric, *labels)
                # In place: who counts holds it.
                mine.counts[:] = [a + b for a, b in zip(mine.counts, counts, strict=True)]
                mine.total += total

    @classmethod
    def sum_of(cls, parts: Iterable[Mapping[str, Any]]) -> CountedFigures:
        """New figures with all of ``parts``, each from `as_plain`."""
        found = cls()
        for part in parts:
            found.add(part)
        return found


def _zeros() -> defaultdict[Labels, float]:
    return defaultdict(int)
