"""Files with secrets are this user's alone, whatever was there before them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from coordinator.access.audit_log import AuditStream
from coordinator.private_file import wide_file, write_private_file


@pytest.fixture(autouse=True)
def _careless() -> Iterator[None]:
    """A user whose files everybody may read."""
    before = os.umask(0o000)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_was_there_keeps_neither_its_mode_nor_its_readers(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("what everybody knows")
    assert mode(file) == 0o666
    with file.open() as reader:
        write_private_file(file, "hunter2")
        assert reader.read() == "what everybody knows"
    assert (file.read_text(), mode(file)) == ("hunter2", 0o600)
    assert list(tmp_path.iterdir()) == [file]


def test_what_cannot_be_written_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_private_file(tmp_path / "secret", "hunter2")
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_a_file_is_wide_where_its_folder_lets_others_reach_it(tmp_path: Path) -> None:
    file = tmp_path / "ledger"
    assert wide_file(file) is None
    file.touch(mode=0o644)
    tmp_path.chmod(0o755)
    assert str(wide_file(file)).endswith(f"(mode 644): run chmod 600 {file}")
    tmp_path.chmod(0o700)
    assert wide_file(file) is None


def test_the_audit_log_is_private_from_its_first_moment_and_a_pipe_stays_as_it_is(
    tmp_path: Path,
) -> None:
    log, pipe = tmp_path / "audit.log", tmp_path / "pipe"
    log.touch(mode=0o644)
    os.mkfifo(pipe, 0o622)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    for path, expected in ((log, 0o600), (pipe, 0o622)):
        AuditStream(path).close()
        assert mode(path) == expected
    os.close(reader)
