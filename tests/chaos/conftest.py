"""Prints the table of the long form when the run ends, and writes it where CHAOS_TABLE says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.chaos.table import TABLE


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not TABLE.rows:
        return
    terminalreporter.section("chaos")
    terminalreporter.write_line(TABLE.text())
    if path := os.environ.get("CHAOS_TABLE"):
        TABLE.write(Path(path))
