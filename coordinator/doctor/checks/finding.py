"""Declares a finding: one sentence about one fact, how serious it is, and how to put it right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Finding", "Level", "worst"]


class Level(StrEnum):
    """Tells how serious a finding is; the later, the worse."""

    OK = "ok"  #: as it should be
    WARNING = "warning"  #: worth knowing; nothing is broken by it now
    PROBLEM = "problem"  #: an operator must fix it


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Says one thing about the broker or the ledger."""

    level: Level
    check: str
    """What was looked at, as one stable word for scripts, such as `consumer-timeout`."""
    text: str
    """One sentence."""
    fix: str | None = None
    """The one command, or line, that puts it right; None where nothing is wrong."""

    @classmethod
    def ok(cls, check: str, text: str) -> Finding:
        """All is well there."""
        return cls(level=Level.OK, check=check, text=text)

    @classmethod
    def warning(cls, check: str, text: str, fix: str) -> Finding:
        """Worth knowing, with its ``fix``."""
        return cls(level=Level.WARNING, check=check, text=text, fix=fix)

    @classmethod
    def problem(cls, check: str, text: str, fix: str) -> Finding:
        """For an operator to put right, by ``fix``."""
        return cls(level=Level.PROBLEM, check=check, text=text, fix=fix)


def worst(findings: Iterable[Finding]) -> Level:
    """The level of the most serious; `OK` for none."""
    levels = list(Level)
    return max((one.level for one in findings), key=levels.index, default=Level.OK)
