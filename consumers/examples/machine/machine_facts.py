"""Reads facts about a machine from the files that Linux keeps for it, or from Python."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["ProcessorTime", "busy", "load", "memory", "operating_system", "processor_time", "space"]

_KIB = 1024


def operating_system(release: Path = Path("/etc/os-release")) -> dict[str, Any]:
    """The system's name and version, the kernel, and the Python that runs here."""
    named = _pairs(release, "=")
    return {
        "name": named.get("PRETTY_NAME") or platform.platform(),
        "id": named.get("ID"),
        "version": named.get("VERSION_ID"),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "processors": os.cpu_count(),
    }


def load() -> dict[str, Any]:
    """How many processes wanted to run, on average over 1, 5 and 15 minutes, and per processor."""
    one, five, fifteen = os.getloadavg()
    return {
        "minutes_1": round(one, 2),
        "minutes_5": round(five, 2),
        "minutes_15": round(fifteen, 2),
        "per_processor": round(one / (os.cpu_count() or 1), 2),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessorTime:
    """Counts ticks of all processors since the machine started."""

    total: int
    idle: int


def processor_time(stat: Path = Path("/proc/stat")) -> ProcessorTime:
    """Raises `FileNotFoundError` where the system does not tell."""
    if not stat.is_file():
        raise FileNotFoundError(f"This machine has no {stat}: it does not tell how busy it is")
    ticks = [int(value) for value in stat.read_text().splitlines()[0].split()[1:9]]
    return ProcessorTime(total=sum(ticks), idle=ticks[3] + ticks[4])  # waiting for disks is idle


def busy(before: ProcessorTime, after: ProcessorTime) -> dict[str, Any]:
    """How much of the time between the two the processors worked."""
    total, idle = after.total - before.total, after.idle - before.idle
    part = 1 - idle / total if total > 0 else 0.0  # the shorter the time, the coarser
    return {"busy_percent": round(100 * min(max(part, 0.0), 1.0), 1)}


def memory(meminfo: Path = Path("/proc/meminfo")) -> dict[str, Any]:
    """Bytes of memory. Raises `FileNotFoundError` where the system does not tell."""
    if not meminfo.is_file():
        raise FileNotFoundError(f"This machine has no {meminfo}: it does not tell its memory")
    found = {name: int(value.split()[0]) * _KIB for name, value in _pairs(meminfo, ":").items()}
    total, available = found["MemTotal"], found["MemAvailable"]
    return {
        "total_bytes": total,
        "available_bytes": available,
        "used_percent": round(100 * (total - available) / total, 1),
    }


def space(folder: Path) -> dict[str, Any]:
    """The file system that holds ``folder``."""
    usage = shutil.disk_usage(folder)
    return {
        "total_bytes": usage.total,
        "free_bytes": usage.free,
        "used_percent": round(100 * usage.used / usage.total, 1),
    }


def _pairs(path: Path, mark: str) -> Mapping[str, str]:
    if not path.is_file():
        return {}
    split = (line.partition(mark) for line in path.read_text().splitlines() if mark in line)
    return {name.strip(): value.strip().strip('"') for name, _, value in split}
