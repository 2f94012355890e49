"""Prints the table of the long form when the run ends."""

from __future__ import annotations

from typing import Any

from tests.chaos.table import TABLE


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not TABLE.rows:
        return
    terminalreporter.section("chaos")
    terminalreporter.write_line(TABLE.text())
