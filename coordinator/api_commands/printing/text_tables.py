"""Lays out tables: as wide as the terminal, with the least important columns left out where it is narrow;
plain, whole and aligned where there is no terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

__all__ = ["STATE_STYLES", "Column", "fields_grid", "plain_fields", "plain_table", "rich_table"]

STATE_STYLES: Mapping[str, str] = {
    "completed": "green",
    "running": "cyan",
    "dead": "bold red",
    "expired": "red",
    "cancelled": "yellow",
    "input_required": "bold magenta",
    "active": "green",
    "busy": "cyan",
    "stale": "red",
    "delivered": "green",
    "urgent": "bold red",
    "critical": "red",
    "high": "yellow",
    "low": "dim",
}
"""Of words that mean the same in every column."""

GAP = 2
"""Columns between two of the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Has a heading, and says what becomes of it in a narrow terminal."""

    name: str
    least: int = 4
    """Columns of the terminal without which it says nothing."""
    whole: bool = False
    """Ids, which are copied, are not cut where there is room for them."""
    right: bool = False
    spared: int = 0
    """The highest is left out first; 0 never is."""
    style: Callable[[str], str] | None = None
    """Called with a text, gives a style of rich; by default that of `STATE_STYLES`."""


def widths(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> dict[int, int]:
    """How wide each column is in a terminal of this width, by its place; the others are left out."""
    needed = [
        max(cell_len(text) for text in (column.name, *(row[place] for row in rows)))
        for place, column in enumerate(columns)
    ]
    least = [
        need if column.whole else min(need, column.least)
        for need, column in zip(needed, columns, strict=True)
    ]
    chosen = list(range(len(columns)))
    while _across([least[place] for place in chosen]) > width:
        last = max(chosen, key=lambda place: columns[place].spared)
        if columns[last].spared == 0:
            break
        chosen.remove(last)
    found = {place: needed[place] for place in chosen}
    while _across(found.values()) > width:
        widest = max(found, key=lambda place: (found[place] > least[place], found[place]))
        if found[widest] == 1:
            break
        found[widest] -= 1
    return found


def _across(wide: Iterable[int]) -> int:
    each = list(wide)
    return sum(each) + GAP * (len(each) - 1)


def rich_table(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int
) -> RenderableType:
    """For a terminal. Texts that do not fit end in an ellipsis."""
    wide = widths(columns, rows, width)
    heading = _row(columns, [column.name for column in columns], wide)
    heading.stylize("bold")
    rule = Text("─" * len(heading), style="dim", no_wrap=True)
    return Group(heading, rule, *(_row(columns, row, wide, styled=True) for row in rows))


def _row(
    columns: Sequence[Column], row: Sequence[str], wide: Mapping[int, int], *, styled: bool = False
) -> Text:
    line = Text(no_wrap=True, overflow="crop")
    for number, (place, columns_wide) in enumerate(wide.items()):
        column, text = columns[place], row[place]
        cell = Text(text, style=_style(column, text) if styled else "")
        cell.truncate(columns_wide, overflow="ellipsis")
        cell.align("right" if column.right else "left", columns_wide)
        line.append(" " * GAP if number else "").append_text(cell)
    return line


def _style(column: Column, text: str) -> str:
    if column.style is not None:
        return column.style(text)
    return STATE_STYLES.get(text, "")


def plain_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """For a pipe or a file: whole texts, the columns aligned."""
    lines = [[column.name for column in columns], *rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    for line in lines:
        cells = (
            text.rjust(wide) if column.right else text.ljust(wide)
            for text, wide, column in zip(line, widths, columns, strict=True)
        )
        yield (" " * GAP).join(cells).rstrip()


def fields_grid(fields: Sequence[tuple[str, str]]) -> Table:
    """Names and values below each other, for a terminal; long values go on below themselves."""
    grid = Table.grid(padding=(0, GAP, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in fields:
        grid.add_row(Text(name, style="dim"), Text(value, style=STATE_STYLES.get(value, "")))
    return grid


def plain_fields(fields: Sequence[tuple[str, str]]) -> Iterator[str]:
    """The same for a pipe."""
    widest = max((len(name) for name, _ in fields), default=0)
    for name, value in fields:
        first, *others = value.split("\n")
        yield f"{name.ljust(widest + GAP)}{first}".rstrip()
        yield from (f"{' ' * (widest + GAP)}{line}".rstrip() for line in others)
