"""What the rounds came to, as one table."""

from __future__ import annotations

import bisect
import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.faults import Injected

__all__ = ["TABLE", "Row", "Table", "by_kind", "longest_gap"]

HEAD = (
    "fault",
    "injected",
    "tasks accepted meanwhile",
    "lost",
    "executed again",
    "longest gap (s): accepting",
    "working",
)
AFTERWARDS = 10.0
"""Seconds after a fault that its gaps are still looked for in: what it broke has to be noticed."""


@dataclass(slots=True, kw_only=True)
class Row:
    """One kind of fault. Faults overlap, so a task may be counted with several kinds."""

    injected: int = 0
    accepted: int = 0
    lost: int = 0
    again: int = 0
    accepting_gap: float = 0.0
    working_gap: float = 0.0

    def add(self, other: Row) -> None:
        self.injected += other.injected
        self.accepted += other.accepted
        self.lost += other.lost
        self.again += other.again
        self.accepting_gap = max(self.accepting_gap, other.accepting_gap)
        self.working_gap = max(self.working_gap, other.working_gap)

    def cells(self, name: str) -> list[str]:
        counts = [self.injected, self.accepted, self.lost, self.again]
        gaps = [f"{self.accepting_gap:.1f}", f"{self.working_gap:.1f}"]
        return [name, *(f"{count:,}".replace(",", " ") for count in counts), *gaps]


@dataclass(slots=True)
class Table:
    """By broker version and kind of fault; a total is of whole rounds, where nothing is counted twice."""

    rows: dict[str, dict[str, Row]] = field(default_factory=dict)
    totals: dict[str, Row] = field(default_factory=dict)

    def add(self, version: str, rows: dict[str, Row], total: Row) -> None:
        kinds = self.rows.setdefault(version, {})
        for kind, row in rows.items():
            kinds.setdefault(kind, Row()).add(row)
        self.totals.setdefault(version, Row()).add(total)

    def text(self) -> str:
        """In Markdown."""
        lines: list[str] = []
        everything = Row()
        for version in sorted(self.rows):
            kinds = self.rows[version]
            lines += ["", f"RabbitMQ {version}:", ""]
            cells = [kinds[kind].cells(kind) for kind in sorted(kinds)]
            cells.append(self.totals[version].cells("**all**"))
            lines += _aligned([list(HEAD), *cells])
            everything.add(self.totals[version])
        lines += ["", "Over all versions:", ""]
        lines += _aligned([list(HEAD), everything.cells("**all**")])
        return "\n".join(lines[1:]) + "\n"

    def write(self, environ: Mapping[str, str] = os.environ) -> None:
        """Where CHAOS_TABLE says, if it does."""
        if path := environ.get("CHAOS_TABLE"):
            Path(path).write_text(self.text())


TABLE = Table()
"""Of this run of the tests; written after each round, and printed when it ends."""


def longest_gap(instants: Sequence[float], began: float, ended: float) -> float:
    """The longest time, touching this interval, between two of the sorted ``instants``."""
    first = max(0, bisect.bisect_left(instants, began) - 1)
    last = min(len(instants), bisect.bisect_right(instants, ended) + 1)
    return max(_gaps(instants[first:last]), default=0.0)


def by_kind(
    faults: Iterable[Injected],
    *,
    accepted: Sequence[tuple[float, str]],
    lost: set[str],
    again: Sequence[Injected | None],
    ends: Sequence[float],
) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    instants = [at for at, _ in accepted]
    for fault in faults:
        until = fault.ended + AFTERWARDS
        meanwhile = accepted[
            bisect.bisect_left(instants, fault.began) : bisect.bisect_right(instants, fault.ended)
        ]
        rows.setdefault(fault.kind, Row()).add(
            Row(
                injected=1,
                accepted=len(meanwhile),
                lost=sum(task_id in lost for _, task_id in meanwhile),
                again=sum(one is fault for one in again),
                accepting_gap=longest_gap(instants, fault.began, until),
                working_gap=longest_gap(ends, fault.began, until),
            )
        )
    return rows


def _gaps(instants: Sequence[float]) -> list[float]:
    return [later - earlier for earlier, later in itertools.pairwise(instants)]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return [lines[0], rule, *lines[1:]]
