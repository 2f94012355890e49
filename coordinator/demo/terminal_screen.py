"""Shows the demo: a live table on a terminal, plain lines elsewhere, a summary, and what a task says.

Everything fits 80 columns.
"""

from __future__ import annotations

import re
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from coordinator.protocol.priority import Priority

from .watched_tasks import WatchedTask, WatchedTasks, waits_by_priority

__all__ = ["Screen", "in_words"]

_PRIORITY_STYLES = {
    Priority.URGENT: "bold red",
    Priority.CRITICAL: "red",
    Priority.HIGH: "yellow",
    Priority.NORMAL: "default",
    Priority.LOW: "dim",
}
_STATE_STYLES = {"completed": "green", "running": "cyan", "queued": "dim"}
_FRAME = 6
"""Lines of the live table that are not rows."""
_BAR = 77
"""Columns of the progress bar: as wide as the live table."""
_INDENT = "  "
_WORDS = re.compile(r"[^\S\n]*\n|\S+[^\S\n]*|[^\S\n]+")
"""Ends of lines, and words with the spaces behind them."""
_RESULTS = 30
"""Lines of results at the end: more than there are kinds of work."""


class Screen:
    """Shows a watched on ``console``; ``live`` redraws a table, otherwise each end is a line."""

    def __init__(self, console: Console, watched: WatchedTasks, *, live: bool) -> None:
        self._console = console
        self._watched = watched
        self._live = (
            Live(console=console, get_renderable=self._table, refresh_per_second=8, transient=True)
            if live and console.is_terminal
            else None
        )
        self._told = 0
        self._column = 0
        """Of the cursor, in what is said."""
        self._within_word = False

    def showing(self) -> AbstractContextManager[object]:
        """The live table is drawn while this block lasts."""
        return self._live if self._live is not None else nullcontext()

    def line(self, text: str, style: str | None = None) -> None:
        """Print one line, in a ``style`` of rich."""
        self._console.print(Text(text, style=style or ""), soft_wrap=True)

    def said(self, text: str) -> None:
        """Print it behind what was said last; a line ends where it is full."""
        for word in _WORDS.findall(text):
            self._begin_line(word)
            self._console.print(Text(word, style="cyan"), end="", soft_wrap=True)
            self._column = 0 if word.endswith("\n") else self._column + len(word)
            self._within_word = not word[-1].isspace()

    def end_of_speech(self) -> None:
        """What is printed next begins a line of its own."""
        if self._column:
            self.line("")
        self._column, self._within_word = 0, False

    def _begin_line(self, word: str) -> None:
        full = self._column + len(word.rstrip()) > min(self._console.width, _BAR)
        if self._column and full and not self._within_word:
            self.line("")
            self._column = 0
        if not self._column:
            self._console.print(Text(_INDENT), end="", soft_wrap=True)
            self._column = len(_INDENT)

    def changed(self) -> None:
        """Tell what ended since the last call; the live table draws itself."""
        if self._live is not None:
            return
        for row in self._watched.ended[self._told :]:
            self.line(
                f"{row.state:<9} {row.order.priority:<8} {row.order.work.label:<30.30} "
                f"{row.agent:<11.11} {_span(row.waited):>8} {_span(row.took):>8}"
            )
        self._told = len(self._watched.ended)

    def heading(self) -> None:
        """Name the columns of the plain lines."""
        if self._live is None:
            self.line(
                f"{'state':<9} {'priority':<8} {'work':<30} {'agent':<11} {'waited':>8} {'took':>8}"
            )

    def summary(self) -> None:
        """Results, failures, and the waits by priority."""
        good = [row for row in self._watched.rows if row.well]
        bad = [row for row in self._watched.rows if not row.well]
        if good:
            self._console.print(_results(good))
        if bad:
            self._console.print(_failures(bad[:_RESULTS]))
        self._console.print(_waits(self._watched))
        if overtaken := self._watched.overtaken:
            whole = len(self._watched.rows)
            self.line(
                f"{overtaken} of {whole} were overtaken by more urgent ones that came later", "dim"
            )

    def _table(self) -> RenderableType:
        room = max(self._console.height - _FRAME, 5)
        rows = self._watched.by_interest
        table = _columns(
            ("work", 22), ("for", 16), ("priority", 8), ("agent", 10), ("waited", 7), ("state", 9)
        )
        for row in rows[:room]:
            style = _STATE_STYLES.get(row.state, "bold red")
            table.add_row(
                row.order.work.label,
                row.lane,
                Text(str(row.order.priority), style=_PRIORITY_STYLES[row.order.priority]),
                row.agent,
                _span(row.waited),
                Text(_state(row), style=style),
            )
        done = len(self._watched.ended)
        every = max(self._watched.expected, len(rows))
        hidden = f"  {len(rows) - room} more below" if len(rows) > room else ""
        return Group(
            Text(f"{done} of {every} tasks ended{hidden}"),
            _bar(done, every),
            table,
        )


def _bar(done: int, every: int) -> Text:
    filled = done * _BAR // max(every, 1)
    return Text.assemble(("━" * filled, "green"), ("━" * (_BAR - filled), "dim"))


def _state(row: WatchedTask) -> str:
    if row.state == "running" and row.fraction is not None:
        return f"{row.fraction:.0%}"
    return row.state


def _columns(*columns: tuple[str, int]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    for name, width in columns:
        right = name in {"waited", "took", "tasks", "mean wait", "longest wait"}
        table.add_column(
            name,
            width=width,
            no_wrap=True,
            overflow="ellipsis",
            justify="right" if right else "left",
        )
    return table


def _results(rows: list[WatchedTask]) -> RenderableType:
    """One line for each different piece of work."""
    distinct = {row.order.work.label: row for row in reversed(rows)}
    shown = sorted(distinct.values(), key=lambda row: row.order.work.label)[:_RESULTS]
    table = _columns(("work", 25), ("agent", 10), ("took", 7), ("result", 35))
    for row in shown:
        table.add_row(row.order.work.label, row.agent, _span(row.took), row.outcome)
    more = len(rows) - len(shown)
    return Group(
        Text("\nResults", style="bold"),
        table,
        Text(f"and {more} more of the same kinds" if more else "", style="dim"),
    )


def _failures(rows: list[WatchedTask]) -> RenderableType:
    """In full: a reason that is cut helps nobody."""
    lines = (
        f"  {row.order.work.label} on {row.agent or 'no agent'}: {row.outcome}" for row in rows
    )
    return Group(Text("\nWhat went wrong", style="bold red"), *(Text(line) for line in lines))


def _waits(watched: WatchedTasks) -> RenderableType:
    table = _columns(
        ("priority", 10), ("tasks", 6), ("mean wait", 13), ("longest wait", 14), ("took", 10)
    )
    for waits in waits_by_priority(watched.rows):
        table.add_row(
            Text(str(waits.priority), style=_PRIORITY_STYLES[waits.priority]),
            str(waits.tasks),
            _span(waits.mean),
            _span(waits.longest),
            _span(waits.took),
        )
    return Group(Text("\nWaiting times, from submission to start", style="bold"), table)


def _span(span: timedelta | None) -> str:
    return "-" if span is None else in_words(span)


def in_words(span: timedelta) -> str:
    """Such as `29 ms` or `1.7 s`."""
    seconds = span.total_seconds()
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
