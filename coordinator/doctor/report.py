"""Shows findings: with colours on a terminal, the same lines without them when piped, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from coordinator.doctor.checks.finding import Finding, Level, worst
from coordinator.doctor.checks.readable_amounts import count

__all__ = ["as_json", "show"]

MARKS = {
    Level.OK: ("ok", "green"),
    Level.WARNING: ("warning", "yellow"),
    Level.PROBLEM: ("PROBLEM", "bold red"),
}
LEVEL_WIDTH, CHECK_WIDTH = 9, 18
"""Columns."""


def show(findings: Sequence[Finding], console: Console) -> None:
    """Print a line for each, one for its fix, and a summary."""
    for finding in findings:
        word, style = MARKS[finding.level]
        line = Text(f"{word:<{LEVEL_WIDTH}}", style=style)
        line.append(f"{finding.check:<{CHECK_WIDTH}}", style="bold")
        line.append(finding.text, style="default")
        console.print(line, soft_wrap=True)
        if finding.fix is not None:
            fix = Text(f"{'':<{LEVEL_WIDTH}}{'fix':<{CHECK_WIDTH}}", style="dim")
            fix.append(finding.fix, style="cyan")
            console.print(fix, soft_wrap=True)
    console.print()
    console.print(Text(_summary(findings), style=MARKS[worst(findings)][1]), soft_wrap=True)


def as_json(findings: Sequence[Finding]) -> str:
    """One object: the worst `level`, and `findings`, each with `level`, `check`, `text` and `fix`."""
    return json.dumps(
        {
            "level": worst(findings),
            "findings": [
                {"level": one.level, "check": one.check, "text": one.text, "fix": one.fix}
                for one in findings
            ],
        },
        indent=2,
    )


def _summary(findings: Sequence[Finding]) -> str:
    levels = [one.level for one in findings]
    problems, warnings = levels.count(Level.PROBLEM), levels.count(Level.WARNING)
    if not problems and not warnings:
        return "All is well."
    return f"{count(problems, 'problem')}, {count(warnings, 'warning')}."
