"""Prints what a command found: for people on a terminal or in a pipe, or one JSON object a line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from .cell_texts import one_line, several_lines
from .text_tables import Column, fields_grid, plain_fields, plain_table, rich_table

__all__ = ["Printer", "json_line"]


class Printer:
    """Writes to the standard output; what is no answer goes to the standard error. Colours are there on a
    terminal alone, and none where NO_COLOR is set.
    """

    def __init__(self, *, json: bool, console: Console | None = None) -> None:
        """``console`` is for tests."""
        self.json = json
        self.console = console or Console(highlight=False, markup=False, emoji=False)

    @property
    def on_terminal(self) -> bool:
        return self.console.is_terminal

    def answer(self, value: Any, for_people: Callable[[], None]) -> None:
        """``value`` in JSON where that is asked for; else ``for_people`` is called, which prints it."""
        if self.json:
            self.document(value)
        else:
            for_people()

    def answers(self, values: Sequence[Any], for_people: Callable[[], None]) -> None:
        """The same with a line for each of them."""
        if not self.json:
            for_people()
            return
        for value in values:
            self.document(value)

    def document(self, value: Any) -> None:
        """One line of JSON, in ASCII."""
        self._write(json_line(value))

    def line(self, text: str, style: str = "") -> None:
        """One line, whatever is in it."""
        if self.on_terminal:
            self.console.print(Text(one_line(text) if text else "", style=style), soft_wrap=True)
        else:
            self._write(one_line(text) if text else "")

    def lines(self, text: str) -> None:
        """A text of several lines."""
        self._write(several_lines(text))

    def piece(self, text: str) -> None:
        """A part of a line, at once."""
        self.console.file.write(several_lines(text))
        self.console.file.flush()

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
        """Headings and rows."""
        if self.on_terminal:
            self.console.print(rich_table(columns, rows, self.console.width))
        else:
            for line in plain_table(columns, rows):
                self._write(line)

    def fields(self, fields: Sequence[tuple[str, str]]) -> None:
        """Names and values."""
        if self.on_terminal:
            self.console.print(fields_grid(fields))
        else:
            for line in plain_fields(fields):
                self._write(line)

    def note(self, text: str) -> None:
        """On the standard error: what is no part of the answer, such as a warning."""
        print(one_line(text), file=sys.stderr, flush=True)

    def _write(self, line: str) -> None:
        self.console.file.write(f"{line}\n")
        self.console.file.flush()


def json_line(value: Any) -> str:
    """Answers are objects with the names of the API; instants are ISO 8601."""
    return json.dumps(_plain(value), default=_other, separators=(", ", ": "))


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def _other(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    return _plain(value) if is_dataclass(value) else list(value)
