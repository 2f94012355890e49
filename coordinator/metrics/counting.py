"""Counts what one process does: submissions, errors of HTTP, publishes, folds, output, streams, callbacks."""

from __future__ import annotations

from coordinator.submission.batch_submitter import BatchSubmitter
from coordinator.submission.submitter import Submitter

from .counted_figures import CountedFigures
from .counters.error_counting import ErrorCounting
from .counters.fold_counting import FoldCounting
from .counters.output_counting import OutputCounting
from .counters.publish_counting import PublishCounting
from .counters.submission_counting import CountedBatches, CountedSubmissions
from .metric_catalogue import CALLBACKS, CUT_OFF

__all__ = ["Counting"]

_OUTCOMES = (("delivered",), ("failed",), ("dead",))
"""Of tries of callbacks."""


class Counting:
    """Holds the figures of this process, and what counts into them."""

    def __init__(self) -> None:
        self.figures = CountedFigures()
        self.errors = ErrorCounting(self.figures)
        self.publishes = PublishCounting(self.figures)
        self.folds = FoldCounting(self.figures)
        self.output = OutputCounting(self.figures)
        self._cut_off = self.figures.counter(CUT_OFF, [()])
        self._callbacks = self.figures.counter(CALLBACKS, _OUTCOMES)

    def count_callback(self, outcome: str) -> None:
        """One try of a callback was `delivered`, `failed` or is `dead`."""
        self._callbacks[(outcome,)] += 1

    def count_cut_off(self) -> None:
        """One subscription was ended that did not keep up."""
        self._cut_off[()] += 1

    def single(self, submitter: Submitter) -> CountedSubmissions:
        """Submits what was asked for, one task at a time."""
        return CountedSubmissions(submitter, self.figures, via="single")

    def scheduled(self, submitter: Submitter) -> CountedSubmissions:
        """Submits the runs of schedules."""
        return CountedSubmissions(submitter, self.figures, via="schedule")

    def batches(self, batches: BatchSubmitter) -> CountedBatches:
        """Submits batches."""
        return CountedBatches(batches, self.figures)
