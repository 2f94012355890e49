"""The figures of everybody, and the one table of them: medians of rounds, and ratios."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["OURS", "Results", "quantile", "told"]

OURS = "coordinator"


@dataclass
class _Row:
    what: str
    less_is_better: bool
    rounds: dict[str, list[float]] = field(default_factory=dict)
    """By contestant."""


class Results:
    """``peers`` and ``limits`` are the names of the columns; ``other`` that of the coordinator at another
    commit, which has a ratio of its own.
    """

    def __init__(
        self, peers: Sequence[str], limits: Sequence[str], other: str | None = None
    ) -> None:
        self._peers = peers
        self._others = [] if other is None else [other]
        self._limits = limits
        self._rows: dict[str, _Row] = {}

    def note(self, what: str, who: str, value: float, *, less_is_better: bool = False) -> None:
        """One round's figure."""
        row = self._rows.setdefault(what, _Row(what, less_is_better))
        row.rounds.setdefault(who, []).append(value)

    def table(self) -> str:
        head = ["figure", *self._names, *(["÷ best peer"] if self._peers else [])]
        head += [f"÷ {name}" for name in self._others]
        lines = [head, *(self._line(row) for row in self._rows.values())]
        widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
        lines.insert(1, ["-" * width for width in widths])
        return "\n".join(_joined(line, widths) for line in lines)

    def _line(self, row: _Row) -> list[str]:
        medians = {who: statistics.median(values) for who, values in row.rounds.items()}
        peers = [medians[peer] for peer in self._peers if peer in medians]
        best = (min if row.less_is_better else max)(peers, default=None)
        ratios = [_ratio(medians.get(OURS), best)] if self._peers else []
        ratios += [_ratio(medians.get(OURS), medians.get(name)) for name in self._others]
        return [row.what, *(told(medians.get(name)) for name in self._names), *ratios]

    @property
    def _names(self) -> list[str]:
        return [OURS, *self._others, *self._peers, *self._limits]


def _ratio(ours: float | None, other: float | None) -> str:
    return "" if ours is None or not other else f"{ours / other:.2f}"


def _joined(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    return (
        " | ".join([f"| {first[0]:<{first[1]}}", *(f"{cell:>{width}}" for cell, width in others)])
        + " |"
    )


def told(value: float | None) -> str:
    """With three digits that count, or two where it is small."""
    if value is None:
        return ""
    if value >= 100:
        return f"{value:,.0f}".replace(",", " ")
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 0.1 or not value else f"{value:.4f}"


def quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
