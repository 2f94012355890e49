"""Measures what an agent's process uses of its machine."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["LoadMetrics"]


class LoadMetrics:
    """Reads CPU between two readings, and memory at each."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._cpu = time.process_time()
        self._read_at = clock()

    def read(self) -> dict[str, float]:
        """``cpu_usage`` in cores and ``memory_usage`` in MiB."""
        cpu, now = time.process_time(), self._clock()
        used = (cpu - self._cpu) / max(now - self._read_at, 1e-3)
        self._cpu, self._read_at = cpu, now
        return {"cpu_usage": round(used, 3), "memory_usage": round(_resident() / 2**20, 1)}


def _resident() -> float:
    """Bytes in memory: of this moment on Linux, the peak elsewhere."""
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
        return float(pages) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
