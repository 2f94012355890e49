"""What the agent's process uses of its machine."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

__all__ = ["LoadMetrics"]


class LoadMetrics:
    """CPU between two readings, and memory at each."""

    def __init__(self) -> None:
        self._cpu = time.process_time()
        self._clock = time.monotonic()

    def read(self) -> dict[str, float]:
        """``cpu_usage`` in cores and ``memory_usage`` in MiB."""
        cpu, clock = time.process_time(), time.monotonic()
        used = (cpu - self._cpu) / max(clock - self._clock, 1e-3)
        self._cpu, self._clock = cpu, clock
        return {"cpu_usage": round(used, 3), "memory_usage": round(_resident() / 2**20, 1)}


def _resident() -> float:
    """Bytes in memory: of this moment on Linux, the peak elsewhere."""
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
        return float(pages) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
