"""Counts the requests that were answered with an error, by status code: where they are refused, too."""

from __future__ import annotations

from coordinator.metrics.counted_figures import CountedFigures
from coordinator.metrics.metric_catalogue import HTTP_ERRORS

__all__ = ["ErrorCounting"]

CODES = (400, 401, 403, 404, 405, 406, 408, 409, 413, 415, 421, 422, 426, 429, 431, 500, 501, 503)
"""Those that the service answers; whatever else there may be is `other`."""

OTHER = ("other",)


class ErrorCounting:
    """Is called with the status of each answer that is an error: what is answered well costs nothing."""

    def __init__(self, figures: CountedFigures) -> None:
        self._labels = {code: (str(code),) for code in CODES}
        self._answered = figures.counter(HTTP_ERRORS, self._labels.values())

    def note(self, status: int) -> None:
        """Count one answer."""
        self._answered[self._labels.get(status, OTHER)] += 1
