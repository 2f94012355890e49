"""The page on input from people gives each state of a task one state of A2A."""

from __future__ import annotations

import re
from pathlib import Path

from coordinator.domain.task import State

PAGE = Path(__file__).resolve().parents[2] / "docs/guides/input-from-people.md"


def test_each_state_has_one_of_a2a() -> None:
    rows = re.findall(r"^\| (`.+`) \| `TASK_STATE_([A-Z_]+)` \|$", PAGE.read_text(), re.MULTILINE)
    here = [state for names, _ in rows for state in re.findall(r"`(\w+)`", names)]
    there = [name for _, name in rows]
    assert sorted(here) == sorted(State)
    assert len(set(there)) == len(there)
