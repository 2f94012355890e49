"""The wrong clock of an agent's process, for tests: the product is given nothing to be shifted by."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, tzinfo
from types import ModuleType, SimpleNamespace

from coordinator.protocol import ids, reference_clock
from coordinator.protocol.messages import event

__all__ = ["skew_clock"]

_TELL_TIME: tuple[ModuleType, ...] = (event, reference_clock)
"""The modules that an agent asks what time it is."""


def skew_clock(seconds: float, *, whole: bool = False) -> None:
    """From now on this process's wall clock is ahead by so much, or behind; ``whole`` cuts it to
    seconds, as many languages tell the time.
    """
    ahead = timedelta(seconds=seconds)

    class Skewed(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            told = datetime.now(tz) + ahead
            return told.replace(microsecond=0) if whole else told

    for module in _TELL_TIME:
        module.datetime = Skewed  # type: ignore[attr-defined]
    shifted = SimpleNamespace(time_ns=lambda: time.time_ns() + int(seconds * 1e9))
    ids.time = shifted  # type: ignore[assignment,attr-defined]
