"""Who did what, one JSON object a line, in a stream of its own."""

from __future__ import annotations

import json
import logging
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from coordinator.access.audit_log import MOST_TASKS, NAME, AuditLog, AuditStream
from coordinator.errors import OperatorError
from tests.support.waiting import eventually


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
    AuditStream(file).install()
    log = AuditLog(write_every=0.01)
    before = datetime.now(UTC)
    ops: dict[str, Any] = {"actor": "key:ops", "address": "127.0.0.1", "status": 200}
    log.note("clear_queue", **ops, facts={"priority": "low"})
    log.note("submit_task", actor="key:a\nb", address=None, status=422, facts={})
    await eventually(lambda: file.read_text().count("\n") == 2)
    first, second = (json.loads(line) for line in file.read_text().splitlines())
    assert before <= datetime.fromisoformat(first.pop("time")) <= datetime.now(UTC)
    assert first == ops | {"action": "clear_queue", "priority": "low"}
    assert second["actor"] == "key:a\nb"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_what_a_terminal_might_act_on_is_escaped_and_read_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "audit.log"
    AuditStream(file).install()
    log = AuditLog()
    path = "/\x9b31m\x7f\u2028\u202e\U000e0001/Zo\u00eb"
    log.note("refused", actor=None, address=None, status=401, facts={"path": path})
    log.flush()
    text = file.read_text()
    assert text.removesuffix("\n").isprintable()
    assert "Zo\u00eb" in text
    assert json.loads(text)["path"] == path


async def test_it_goes_to_no_other_log(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    AuditStream(None).install()
    log = AuditLog()
    log.note("clear_queue", actor=None, address=None, status=200, facts={})
    log.flush()
    assert json.loads(capsys.readouterr().err)["action"] == "clear_queue"
    assert caplog.records == []


def test_a_file_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"COORDINATOR_AUDIT_LOG .* make its folder"):
        AuditStream(tmp_path / "missing" / "audit.log")


async def test_tasks_of_one_caller_are_one_line_and_a_single_one_is_as_of_other_requests(
    tmp_path: Path,
) -> None:
    file = tmp_path / "audit.log"
    AuditStream(file).install()
    log = AuditLog()
    for task_id, actor in (("1", "key:a"), ("2", "key:b"), ('3",', "key:a"), ("4", "key:a")):
        log.note_submitted(task_id, actor=actor, address="127.0.0.1")
        log.note("clear_queue", actor="key:ops", address=None, status=200, facts={"n": task_id})
    log.flush()
    log.note_submitted("5", actor="key:a", address="127.0.0.1")
    log.flush()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    told = [line for line in lines if line["action"] == "submit_task"]
    assert [(line["actor"], line.get("task_ids"), line.get("task_id")) for line in told] == [
        ("key:a", ["1", '3",', "4"], None),
        ("key:b", None, "2"),
        ("key:a", None, "5"),
    ]
    assert {line["status"] for line in told} == {200}
    assert [line["n"] for line in lines if "n" in line] == ["1", "2", '3",', "4"]


async def test_a_line_has_no_more_tasks_than_a_batch(tmp_path: Path) -> None:
    file = tmp_path / "audit.log"
    AuditStream(file).install()
    log = AuditLog()
    for number in range(MOST_TASKS + 1):
        log.note_submitted(str(number), actor="key:a", address=None)
    log.flush()
    first, second = (json.loads(line) for line in file.read_text().splitlines())
    assert [len(first["task_ids"]), second["task_id"]] == [MOST_TASKS, str(MOST_TASKS)]
