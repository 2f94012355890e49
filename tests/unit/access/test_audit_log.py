"""Who did what, one JSON object a line, in a stream of its own."""

from __future__ import annotations

import json
import logging
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from coordinator.access.audit_log import NAME, AuditLog, AuditStream
from coordinator.errors import OperatorError
from tests.support.waiting import eventually

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def others_log_as_before() -> Iterator[None]:
    logger = logging.getLogger(NAME)
    before = (list(logger.handlers), logger.propagate, logger.level)
    yield
    for handler in logger.handlers:
        handler.close()
    logger.handlers[:], logger.propagate, logger.level = before


async def test_lines_are_written_soon_with_what_was_done_and_to_what(tmp_path: Path) -> None:
    file = tmp_path / "audit.log"
    AuditStream(file, write_every=0.01).install()
    log = AuditLog(lambda: AT)
    log.note(
        "clear_queue", actor="key:ops", address="127.0.0.1", status=200, priority="low", x=None
    )
    log.note("submit_task", actor="key:a\nb", address=None, status=422)
    await eventually(lambda: file.read_text().count("\n") == 2)
    first, second = (json.loads(line) for line in file.read_text().splitlines())
    assert first == {
        "time": "2026-01-31T12:00:00Z",
        "actor": "key:ops",
        "address": "127.0.0.1",
        "action": "clear_queue",
        "status": 200,
        "priority": "low",
    }
    assert second["actor"] == "key:a\nb"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_waits_is_written_at_the_end(tmp_path: Path) -> None:
    file = tmp_path / "audit.log"
    stream = AuditStream(file)
    stream.install()
    AuditLog(lambda: AT).note("clear_queue", actor=None, address=None, status=200)
    stream.close()
    assert json.loads(file.read_text())["action"] == "clear_queue"


def test_it_goes_to_no_other_log(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = AuditStream(None)
    stream.install()
    AuditLog(lambda: AT).note("clear_queue", actor=None, address=None, status=200)
    stream.flush()
    assert json.loads(capsys.readouterr().err)["action"] == "clear_queue"
    assert caplog.records == []


def test_a_file_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="COORDINATOR_AUDIT_LOG"):
        AuditStream(tmp_path / "missing" / "audit.log")
