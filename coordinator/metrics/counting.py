"""Counts what one process does, all of it: submissions, errors of HTTP, publishes, folds, partial output."""

from __future__ import annotations

from coordinator.submission.batch_submitter import BatchSubmitter
from coordinator.submission.submitter import Submitter

from .counted_figures import CountedFigures
from .error_counting import ErrorCounting
from .fold_counting import FoldCounting
from .output_counting import OutputCounting
from .publish_counting import PublishCounting
from .submission_counting import CountedBatches, CountedSubmissions

__all__ = ["Counting"]


class Counting:
    """Holds the figures of this process, and what counts into them."""

    def __init__(self) -> None:
        self.figures = CountedFigures()
        self.errors = ErrorCounting(self.figures)
        self.publishes = PublishCounting(self.figures)
        self.folds = FoldCounting(self.figures)
        self.output = OutputCounting(self.figures)

    def single(self, submitter: Submitter) -> CountedSubmissions:
        """Submits what was asked for, one task at a time."""
        return CountedSubmissions(submitter, self.figures, via="single")

    def scheduled(self, submitter: Submitter) -> CountedSubmissions:
        """Submits the runs of schedules."""
        return CountedSubmissions(submitter, self.figures, via="schedule")

    def batches(self, batches: BatchSubmitter) -> CountedBatches:
        """Submits batches."""
        return CountedBatches(batches, self.figures)
