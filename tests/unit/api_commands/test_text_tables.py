"""Tables: as wide as the terminal, with what matters most; plain and whole in a pipe."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from coordinator.api_commands.printing.cell_texts import age, as_json, one_line, span_text
from coordinator.api_commands.printing.printer import Printer, json_line
from coordinator.api_commands.printing.task_tables import TASKS, print_tasks, task_rows
from coordinator.api_commands.printing.text_tables import Column, plain_table, widths
from coordinator.client import Page, TaskError, TaskSummary

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
UUID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
TASK = TaskSummary(
    task_id=UUID,
    state="dead",
    task_type="keywords",
    agent_id="librarian",
    submitted_at=NOW - timedelta(minutes=3),
    started_at=NOW - timedelta(minutes=2),
    ended_at=NOW - timedelta(minutes=2) + timedelta(milliseconds=29),
    error=TaskError(type="ValueError", message="it is so"),
)


def printed(width: int, *, terminal: bool) -> list[str]:
    console = Console(
        file=io.StringIO(), width=width, force_terminal=terminal, color_system=None, highlight=False
    )
    print_tasks(Printer(json=False, console=console), [TASK])
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_a_table_is_never_wider_than_the_terminal(width: int) -> None:
    assert max(len(line) for line in printed(width, terminal=True)) <= width


def test_a_narrow_terminal_has_the_columns_that_matter_most() -> None:
    heading, _, row = printed(40, terminal=True)
    assert heading.split() == ["task", "state"]
    assert "dead" in row
    assert {"task", "state", "type", "age"} <= {*printed(80, terminal=True)[0].split()}
    assert UUID in printed(80, terminal=True)[2]


def test_a_pipe_gets_whole_texts_without_colours_or_rules() -> None:
    heading, row = printed(20, terminal=False)
    assert heading.split() == [column.name for column in TASKS]
    assert "ValueError: it is so" in row
    assert "\x1b" not in heading + row


def test_no_cell_is_empty_so_that_columns_can_be_counted() -> None:
    (row,) = task_rows([TaskSummary(task_id="t", state="queued")], NOW)
    assert all(row)
    assert list(plain_table(TASKS, [row]))[1].split() == row


def test_a_column_that_may_be_spared_goes_before_one_is_cut_below_its_least() -> None:
    columns = (Column(name="a", least=5), Column(name="b", least=5, spared=1))
    assert widths(columns, [["x" * 9, "y" * 9]], 12) == {0: 5, 1: 5}
    assert widths(columns, [["x" * 9, "y" * 9]], 11) == {0: 9}
    assert widths(columns, [["x" * 9, "y" * 9]], 3) == {0: 3}


def test_what_others_wrote_does_nothing_to_a_terminal() -> None:
    assert "\x1b" not in one_line("\x1b[2J\nx")
    assert "\n" not in one_line("\x1b[2J\nx")
    assert "\x9b" not in as_json({"a": "\x9b31m"})


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0294, "29 ms"),
        (0.9996, "1.0 s"),
        (99.94, "99.9 s"),
        (100, "2 min"),
        (3600, "60 min"),
        (7200, "2 h"),
        (172800, "2 d"),
        (None, "-"),
    ],
)
def test_a_span_is_a_word(seconds: float | None, text: str) -> None:
    assert span_text(seconds) == text


def test_an_instant_that_is_still_to_come_is_no_age() -> None:
    assert age(NOW + timedelta(seconds=5), NOW) == "0 ms"


def test_json_has_the_names_of_the_api_on_one_line() -> None:
    line = json_line(TASK)
    assert '"submitted_at": "2026-01-31T11:57:00+00:00"' in line
    assert '"error": {"type": "ValueError"' in line
    assert "\n" not in json_line(Page(items=("a\nb",)))
