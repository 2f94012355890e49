"""The figures of the registry's benchmarks, and the one table that they are printed in."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Figure", "latencies", "print_table", "say"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A line of the table: the median of its rounds."""

    what: str
    unit: str
    rounds: Sequence[float]
    p99: Sequence[float] = ()
    """Of what is timed many times in a round: ``rounds`` are then the medians."""
    cpu: Sequence[float] = ()
    """The same, by the processor time of the process that is measured: on a busy machine this is
    nearer to what an idle one would tell."""
    aim: str = ""


def latencies(what: str, rounds: Iterable[Sequence[float]], *, aim: str = "") -> Figure:
    """From the seconds that each of many things took, round by round."""
    ordered = [sorted(seconds) for seconds in rounds]
    return Figure(
        what=what,
        unit="ms",
        rounds=[1000 * statistics.median(one) for one in ordered],
        p99=[1000 * one[min(len(one) - 1, int(0.99 * len(one)))] for one in ordered],
        aim=aim,
    )


def print_table(figures: Iterable[Figure]) -> None:
    _row("registry", "unit", "median", "from … to", "p99", "by CPU", "aim")
    _row(*("-" * width for width in _WIDTHS))
    for figure in figures:
        _row(
            figure.what,
            figure.unit,
            _told(statistics.median(figure.rounds)),
            f"{_told(min(figure.rounds))} … {_told(max(figure.rounds))}",
            _told(statistics.median(figure.p99)) if figure.p99 else "",
            _told(statistics.median(figure.cpu)) if figure.cpu else "",
            figure.aim,
        )


def say(line: str) -> None:
    """How far it has come: beside the table, which may go to a file."""
    print(line, file=sys.stderr, flush=True)


_WIDTHS = (56, 8, 8, 17, 7, 8, 8)


def _row(what: str, *cells: str) -> None:
    told = (f"{cell:>{width}}" for cell, width in zip(cells, _WIDTHS[1:], strict=True))
    print(f"| {what:<{_WIDTHS[0]}} | " + " | ".join(told) + " |", flush=True)


def _told(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
