"""Reads from the system what each process of the service uses: CPU, memory, open files."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from .current_figures import Figures
from .metric_catalogue import (
    PROCESS_CPU,
    PROCESS_FILES,
    PROCESS_MOST_FILES,
    PROCESS_RESIDENT,
    PROCESS_STARTED,
    PROCESS_VIRTUAL,
    Metric,
)

__all__ = ["process_figures"]

_BY_NAME: dict[str, Metric] = {
    "process_cpu_seconds": PROCESS_CPU,
    "process_resident_memory_bytes": PROCESS_RESIDENT,
    "process_virtual_memory_bytes": PROCESS_VIRTUAL,
    "process_start_time_seconds": PROCESS_STARTED,
    "process_open_fds": PROCESS_FILES,
    "process_max_fds": PROCESS_MOST_FILES,
}
"""Of the library's own collector, which knows none of them where there is no /proc."""


def process_figures(processes: Mapping[str, int]) -> Figures:
    """By the name of each process and its id; of one that has ended there are none."""
    from prometheus_client import ProcessCollector  # noqa: PLC0415 - takes long to import

    found: Figures = {}
    for name, pid in processes.items():
        collector = ProcessCollector(pid=partial(int, pid), registry=None)
        for family in collector.collect():
            metric = _BY_NAME.get(family.name)
            for sample in family.samples if metric is not None else ():
                if metric is not None:
                    found.setdefault(metric.name, {})[(name,)] = sample.value
    return found
