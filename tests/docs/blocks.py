"""The code blocks of a page, with the comment above each that says how it is tested.

    <!-- test: skip: why -->          shown only
    <!-- test: file NAME -->          saved under that name in the page's folder
    <!-- test: background -->         started, and left running
    <!-- test: stop -->               runs after everything in the background was stopped
    <!-- test: fails -->              must fail, as an example of an error does
    <!-- test: eventually -->         is repeated until it succeeds
    <!-- test: eventually TEXT -->    is repeated until it prints TEXT; white space does not count
    <!-- test: ends STATE -->         runs; the tasks that it submits are in this state at the end of the page

Without a comment, ``bash`` and ``python`` blocks run and must succeed, and ``json`` must be JSON. A task
that a block submits must be completed at the end of its page, unless the block says `ends`.
Other languages are only shown. All blocks of a page share a folder and run in their order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from coordinator.domain.task import State

__all__ = ["ROOT", "Block", "blocks", "pages"]

ROOT = Path(__file__).resolve().parents[2]

_MARKER = re.compile(r"<!--\s*test:\s*(\w+)[:\s]*(.*?)\s*-->\s*")
_VERBS = frozenset({"skip", "file", "background", "stop", "fails", "eventually", "ends"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    page: str
    line: int
    language: str
    code: str
    verb: str = "run"
    argument: str = ""

    @property
    def runs(self) -> bool:
        return self.language in {"bash", "python"} and self.verb not in {"skip", "file"}

    @property
    def ends(self) -> State:
        """In which state the tasks that it submits are at the end of its page."""
        return State(self.argument) if self.verb == "ends" else State.COMPLETED

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """The README and everything in docs/."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> Iterator[Block]:
    """Every fenced block. Raises `ValueError` for a comment that cannot be understood."""
    name = page.relative_to(ROOT).as_posix()
    marker = ("run", "")
    opened: tuple[int, str] | None = None
    code: list[str] = []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if opened is not None:
            if line.rstrip() == "```":
                yield Block(
                    page=name,
                    line=opened[0],
                    language=opened[1],
                    code="\n".join(code) + "\n",
                    verb=marker[0],
                    argument=marker[1],
                )
                opened, code, marker = None, [], ("run", "")
            else:
                code.append(line)
        elif line.startswith("```"):
            opened = (number, line[3:].strip())
        elif found := _MARKER.fullmatch(line):
            if found[1] not in _VERBS:
                raise ValueError(f"{name}:{number}: unknown marker {line}")
            if found[1] == "ends" and found[2] not in set(State):
                raise ValueError(f"{name}:{number}: there is no state {found[2]!r}")
            marker = (found[1], found[2])
        elif line.strip() and marker != ("run", ""):
            raise ValueError(f"{name}:{number}: a marker must stand right above its block")
    if opened is not None:
        raise ValueError(f"{name}:{opened[0]}: a block that is not closed")
