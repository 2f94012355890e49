"""What processes cost, by /proc: figures that a busy machine changes less than it changes times."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cpu_seconds", "memory"]


def cpu_seconds(pid: int) -> float:
    """CPU time so far, of the process and its children, those that have ended included."""
    return sum(_ticks(one) for one in _family(pid)) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> int:
    """Resident bytes, of the process and its children."""
    return sum(_pages(one) for one in _family(pid)) * os.sysconf("SC_PAGE_SIZE")


def _family(pid: int) -> list[int]:
    """Whichever of its threads started them."""
    children = [
        int(child)
        for thread in Path(f"/proc/{pid}/task").glob("*/children")
        for child in _read(thread).split()
    ]
    return [pid, *(one for child in children for one in _family(child))]


def _ticks(pid: int) -> int:
    """Its own, and those of the children that it has waited for."""
    after_name = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return sum(int(ticks) for ticks in after_name[11:15])


def _pages(pid: int) -> int:
    return int((_read(Path(f"/proc/{pid}/statm")).split() or ["0", "0"])[1])


def _read(path: Path) -> str:
    """Empty where the process or thread has ended meanwhile."""
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
