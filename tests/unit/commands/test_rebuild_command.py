"""`coordinator rebuild`: what it says, and that it changes all or nothing."""

from __future__ import annotations

import asyncio
import io
import sqlite3
import threading
from pathlib import Path

import pytest
from rich.console import Console

from coordinator.commands import rebuild_command
from coordinator.commands.cli import main
from coordinator.errors import OperatorError
from coordinator.registry.ledger.database_timeouts import DatabaseTimeouts
from coordinator.registry.ledger.ledger import Ledger
from coordinator.settings import Settings
from tests.unit.domain.histories import completed, started, submitted
from tests.unit.registry.answers import answers, stored


def settings(folder: Path) -> Settings:
    return Settings(data_dir=folder)


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'ledger.sqlite3'}"


async def written(folder: Path) -> None:
    async with Ledger(url(folder)) as ledger:
        await stored(ledger, submitted(), started(), completed())


def test_a_damaged_projection_is_mended_and_the_rate_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def answers_now() -> object:
        async with Ledger(url(tmp_path)) as ledger:
            return await answers(ledger)

    asyncio.run(written(tmp_path))
    before = asyncio.run(answers_now())
    with sqlite3.connect(tmp_path / "ledger.sqlite3") as connection:
        connection.execute("UPDATE tasks SET state = 'queued'")
        connection.execute("DELETE FROM totals")
    connection.close()
    assert asyncio.run(answers_now()) != before

    assert main(["rebuild", "--data-dir", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("Folded 3 events in ")
    assert printed.count("\n") == 1
    assert asyncio.run(answers_now()) == before


def test_a_terminal_gets_a_bar(tmp_path: Path) -> None:
    asyncio.run(written(tmp_path))
    screen = io.StringIO()
    rebuild_command.run(settings(tmp_path), Console(file=screen, force_terminal=True, width=100))
    assert "folding" in screen.getvalue()


def test_a_pipe_gets_lines(tmp_path: Path) -> None:
    asyncio.run(written(tmp_path))
    lines = io.StringIO()
    rebuild_command.run(settings(tmp_path), Console(file=lines), line_every=0)
    assert lines.getvalue().startswith("3 of 3 events folded, ")


def test_no_ledger_is_an_operators_mistake_and_none_is_made(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"There is no ledger .* --data-dir"):
        rebuild_command.run(settings(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_ledger_that_is_being_written_is_left_alone(
    tmp_path: Path,
) -> None:
    asyncio.run(written(tmp_path))
    other = sqlite3.connect(tmp_path / "ledger.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OperatorError, match="locked"):
        rebuild_command.run(settings(tmp_path), timeouts=DatabaseTimeouts(lock=0.05))
    other.close()


class Held(io.StringIO):
    """An output that takes a line only once it may."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.go_on = threading.Event(), threading.Event()

    def write(self, text: str) -> int:
        self.reached.set()
        self.go_on.wait()
        return super().write(text)


async def test_a_rebuild_that_is_interrupted_has_changed_nothing(tmp_path: Path) -> None:
    await written(tmp_path)
    output = Held()
    with sqlite3.connect(tmp_path / "ledger.sqlite3") as connection:
        connection.execute("DELETE FROM tasks")
    working = asyncio.create_task(
        rebuild_command._rebuild(
            url(tmp_path), Console(file=output), DatabaseTimeouts(), line_every=0, page=1
        )
    )
    await asyncio.to_thread(output.reached.wait)
    working.cancel()
    await asyncio.sleep(0)
    output.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert connection.execute("SELECT count(*) FROM tasks").fetchone() == (0,)
    connection.close()
