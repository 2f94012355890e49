"""Lets the exporter's log say once a minute what it has to say, instead of a line for each try.

A collector that is away would have some twenty lines a minute of each process, agents included.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

__all__ = ["EXPORTER_LOGGER", "OnceInAWhile"]

EXPORTER_LOGGER = "opentelemetry.exporter.otlp.proto.http.trace_exporter"

EVERY = 60.0
"""Seconds."""


class OnceInAWhile(logging.Filter):
    """Lets one record through in ``every`` seconds, and says how many it has left out since the one before.
    ``clock`` tells seconds.
    """

    def __init__(
        self, *, every: float = EVERY, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._every = every
        self._clock = clock
        self._last: float | None = None
        self._left_out = 0

    def filter(self, record: logging.LogRecord) -> bool:
        now = self._clock()
        if self._last is not None and now - self._last < self._every:
            self._left_out += 1
            return False
        if self._left_out:
            record.left_out = self._left_out
        self._last, self._left_out = now, 0
        return True
