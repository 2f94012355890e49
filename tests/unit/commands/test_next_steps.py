"""What `coordinator up` says to type next works as it stands, with TLS and keys, too."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from coordinator.commands.next_steps import demo_lines
from coordinator.settings import Settings


@pytest.fixture(autouse=True)
def program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [".venv/bin/coordinator"])


@pytest.mark.parametrize(
    ("base", "line"),
    [
        ("http://127.0.0.1:9001", "make demo"),
        ("http://127.0.0.1:9002", "make demo PORT=9002"),
        ("https://127.0.0.1:9001", 'make demo ARGS="--url https://localhost:9001"'),
    ],
)
def test_the_demo_is_told_where_the_api_is(base: str, line: str) -> None:
    assert demo_lines(Settings(), base) == [f"Try it in another terminal:  {line}"]


def test_where_keys_are_asked_for_one_is_made_in_this_ledger(tmp_path: Path) -> None:
    options: dict[str, Any] = {"auth": "required", "data_dir": tmp_path}
    _, line = demo_lines(Settings(**options), "http://127.0.0.1:9001")
    assert line.endswith(
        "export COORDINATOR_KEY=$(.venv/bin/coordinator keys create --name demo --role reader --role producer"
        f" --data-dir {tmp_path})"
    )
