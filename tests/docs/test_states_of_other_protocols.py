"""The page on input from people gives each state of a task one state of A2A, and says of which that is true
the other way round.
"""

from __future__ import annotations

import re
from pathlib import Path

from coordinator.domain.task import State

A2A = {
    *("SUBMITTED", "WORKING", "INPUT_REQUIRED", "AUTH_REQUIRED"),
    *("COMPLETED", "FAILED", "CANCELED", "REJECTED"),
}
"""The states that a task has there, in version 1.0 of the protocol."""

PAGE = Path(__file__).resolve().parents[2] / "docs/guides/input-from-people.md"


def table() -> list[tuple[list[str], str]]:
    """States here, and that of A2A."""
    rows = re.findall(r"^\| (`.+`) \| `TASK_STATE_([A-Z_]+)` \|$", PAGE.read_text(), re.MULTILINE)
    return [(re.findall(r"`(\w+)`", names), name) for names, name in rows]


def test_each_state_has_one_of_a2a() -> None:
    here = [state for states, _ in table() for state in states]
    there = [name for _, name in table()]
    assert sorted(here) == sorted(State)
    assert len(set(there)) == len(there)


def test_the_page_says_which_are_one_to_one_and_names_those_that_have_none_here() -> None:
    text = " ".join(PAGE.read_text().split())
    (named,) = re.findall(r"One to one are (.+?);", text)
    alone = [states[0] for states, _ in table() if len(states) == 1]
    assert re.findall(r"`(\w+)`", named) == alone
    without = re.findall(
        r"`TASK_STATE_([A-Z_]+)`", text.split("Two states of A2A have none here.")[1]
    )
    assert {name for _, name in table()} | set(without) == A2A
    assert len(without) == 2
