"""What the system tells of a process: the processor time that it has had, and its memory.

On a machine that others use as well, processor time says more than the clock does.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["processor_seconds", "resident_megabytes"]

_TICK = os.sysconf("SC_CLK_TCK")
_KILOBYTE = 1024


def processor_seconds(pid: int) -> float:
    """Of all its threads, in user and in kernel mode, since it started."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def resident_megabytes(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / _KILOBYTE
    raise AssertionError(f"no memory is told of the process {pid}")
