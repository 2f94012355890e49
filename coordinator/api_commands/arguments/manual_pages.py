"""Lays out the help of a command as a page of a manual, with examples and exit statuses."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from coordinator.api_commands.exit_statuses import EXPLAINED

__all__ = ["IndexFormatter", "PageFormatter", "add_page"]

WIDEST = 100
"""Columns: longer lines are hard to read."""


class PageFormatter(argparse.HelpFormatter):
    """Wraps paragraphs, and leaves indented lines as they are."""

    def __init__(self, prog: str, **options: Any) -> None:
        super().__init__(prog, max_help_position=28, **options)
        self._width = min(self._width, WIDEST)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(self._filled(line, width, indent) for line in text.splitlines())

    def _filled(self, line: str, width: int, indent: str) -> str:
        if line.startswith(" ") or not line:
            return indent + line
        return textwrap.fill(line, width, initial_indent=indent, subsequent_indent=indent)


class IndexFormatter(PageFormatter):
    """Leaves out the commands, which an index has by what they are for."""

    def add_argument(self, action: argparse.Action) -> None:
        if not isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            super().add_argument(action)


def add_page(
    commands: Any,
    name: str,
    *,
    help: str,  # noqa: A002 - argparse's word
    about: str = "",
    examples: Sequence[str] = (),
    parents: Iterable[argparse.ArgumentParser] = (),
) -> argparse.ArgumentParser:
    """Adds a command whose page says ``about`` after the line of ``help``. The parsed options have its name
    in ``command``.
    """
    sentence = f"{help[0].upper()}{help[1:]}."
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=help,
        description=f"{sentence} {about}".strip(),
        epilog=_epilog(examples),
        parents=list(parents),
        formatter_class=PageFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(command=name)
    return parser


def _epilog(examples: Sequence[str]) -> str:
    lines = ["examples:", *(f"  {one}" for one in examples), ""] if examples else []
    lines += ["exit status:", *(f"  {status}  {what}" for status, what in EXPLAINED), ""]
    return "\n".join([*lines, "The guide is docs/guides/command-line.md."])
