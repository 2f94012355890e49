"""Times one run: how long it may take, and how long it may be silent. Both stand still while it waits for
people.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

from .._values.handler_limits import HandlerLimits
from .stop_reason import StopReason

__all__ = ["RunTimers"]


class RunTimers:
    """Calls ``stop`` when a time is over; on the event loop, but for `word`. ``clock`` tells seconds."""

    def __init__(
        self,
        limits: HandlerLimits,
        *,
        clock: Callable[[], float],
        stop: Callable[[StopReason], None],
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._stop = stop
        self._loop = asyncio.get_running_loop()
        self._whole: asyncio.TimerHandle | None = None
        self._silence: asyncio.TimerHandle | None = None
        self._last_word = clock()
        self._paused_at: float | None = None
        self._left: float | None = None
        """Seconds of the whole time, while it stands still; None where nothing is timed any more."""
        self.stood_still = 0.0
        """Seconds so far."""

    def begin(self) -> None:
        """Once."""
        self._start(self._limits.timeout.total_seconds())

    def end(self) -> None:
        """Nothing is timed any more."""
        for timer in (self._whole, self._silence):
            if timer is not None:
                timer.cancel()
        self._whole = self._silence = self._left = None

    def word(self) -> None:
        """The handler said something; from the loop or from a thread."""
        self._last_word = self._clock()

    def pause(self) -> None:
        """Nothing is timed until `go_on`, nor after it where `end` came before or comes meanwhile."""
        self._paused_at = self._clock()
        left = None if self._whole is None else self._whole.when() - self._loop.time()
        self.end()
        self._left = left

    def go_on(self) -> None:
        if self._paused_at is None:
            return
        self.stood_still += self._clock() - self._paused_at
        self._paused_at = None
        self.word()
        left, self._left = self._left, None
        if left is not None:
            self._start(max(0.0, left))

    def _start(self, seconds: float) -> None:
        self._whole = self._loop.call_later(seconds, self._stop, StopReason.TIMED_OUT)
        limit = self._limits.progress_timeout
        if limit is not None:
            self._silence = self._loop.call_later(
                limit.total_seconds(), self._check_progress, limit
            )

    def _check_progress(self, limit: timedelta) -> None:
        """Stop it if it was silent for ``limit``, else look again when that could be so."""
        left = limit.total_seconds() - (self._clock() - self._last_word)
        if left <= 0:
            self._stop(StopReason.STALLED)
        else:
            self._silence = self._loop.call_later(left, self._check_progress, limit)
