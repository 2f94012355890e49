"""What the service logs is one line a record, whatever a value holds."""

from __future__ import annotations

import json
import logging

import pytest

from coordinator.log_lines import JsonFormatter
from coordinator.logging_setup import TextFormatter


def record(message: str, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("coordinator.x", logging.INFO, "x.py", 1, message, None, None)
    vars(made).update(fields)
    return made


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a\n12:00:00 INFO    x: all is well", r"a\n12:00:00 INFO    x: all is well"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x9b2J", r"\x9b2J"),
        ("one\u2028two\u202ethree", r"one\u2028two\u202ethree"),
        ("\r\t\x00", r"\r\t\x00"),
        ("né ✓", "né ✓"),
    ],
)
def test_a_value_begins_no_line_and_moves_no_cursor(value: str, shown: str) -> None:
    line = TextFormatter().format(record(f"seen {value}", key=value))
    assert line.endswith(f"INFO    x: seen {shown}  key={shown}")


def test_a_traceback_has_its_lines_and_what_the_error_says_is_escaped() -> None:
    try:
        raise ValueError("bad \x1b[2J value")
    except ValueError as exc:
        failed = record("it failed")
        failed.exc_info = (type(exc), exc, exc.__traceback__)
    lines = TextFormatter().format(failed).split("\n")
    assert lines[1] == "Traceback (most recent call last):"
    assert lines[-1] == r"ValueError: bad \x1b[2J value"


def test_a_record_in_json_is_one_line_of_ascii() -> None:
    line = JsonFormatter().format(record("seen", key="a\n\x1b[31m\x9b\u2028"))
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["key"] == "a\n\x1b[31m\x9b\u2028"
