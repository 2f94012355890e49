"""Counts the partial output that this process hears, tells and refuses."""

from __future__ import annotations

from coordinator.metrics.counted_figures import CountedFigures
from coordinator.metrics.metric_catalogue import (
    OUTPUT_GAPS,
    OUTPUT_HEARD,
    OUTPUT_REFUSED,
    OUTPUT_TOLD,
)

__all__ = ["OutputCounting"]

REASONS = ("ForgedIdentity", "MalformedMessage", "WrongToken")
"""The names of all that output is refused for."""


class OutputCounting:
    """Fits `partial_output.output_counts.CountsOutput`."""

    def __init__(self, figures: CountedFigures) -> None:
        self._heard = figures.counter(OUTPUT_HEARD, [()])
        self._gaps = figures.counter(OUTPUT_GAPS, [()])
        self._told = figures.counter(OUTPUT_TOLD, [()])
        self._refused = figures.counter(OUTPUT_REFUSED, [(reason,) for reason in REASONS])

    def heard(self, chunks: int, *, gap: bool) -> None:
        """Count new chunks of a run; ``gap``: others before them never came."""
        self._heard[()] += chunks
        if gap:
            self._gaps[()] += 1

    def told(self, chunks: int) -> None:
        """Count chunks that one subscriber is given."""
        self._told[()] += chunks

    def refused(self, why: str) -> None:
        """Count one message, or what one run says in it."""
        self._refused[(why if why in REASONS else "other",)] += 1
