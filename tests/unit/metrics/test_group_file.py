"""The processes of one service tell each other what they count, and whoever takes a place goes on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from coordinator.metrics.group_file import PART, GroupFile, GroupMember, open_group_file


@pytest.fixture
def descriptor() -> Iterator[int]:
    descriptor = open_group_file(processes=3)
    yield descriptor
    os.close(descriptor)


def member(descriptor: int, place: int, content: dict[str, Any]) -> GroupFile:
    return GroupFile(GroupMember(descriptor=descriptor, place=place), lambda: content)


def test_each_process_reads_what_all_others_wrote(descriptor: int) -> None:
    files = [member(descriptor, place, {"place": place}) for place in range(3)]
    assert list(files[0].others()) == []
    files[1].write()
    files[2].write()
    assert list(files[0].others()) == [{"place": 1}, {"place": 2}]
    assert list(files[1].others()) == [{"place": 2}]


def test_who_takes_a_place_finds_what_was_counted_there(descriptor: int) -> None:
    assert member(descriptor, 1, {}).own() is None
    member(descriptor, 1, {"counted": 5}).write()
    assert member(descriptor, 1, {"counted": 0}).own() == {"counted": 5}


def test_a_shorter_part_takes_the_place_of_a_longer_one(descriptor: int) -> None:
    member(descriptor, 0, {"counted": "x" * 1000}).write()
    member(descriptor, 0, {"counted": 1}).write()
    assert list(member(descriptor, 1, {}).others()) == [{"counted": 1}]


def test_a_part_that_is_half_written_is_not_told(descriptor: int) -> None:
    member(descriptor, 1, {"counted": 5}).write()
    os.pwrite(descriptor, b"#", PART + 12)
    assert list(member(descriptor, 0, {}).others()) == []


def test_what_is_too_much_is_said_and_not_written(
    descriptor: int, caplog: pytest.LogCaptureFixture
) -> None:
    member(descriptor, 1, {"counted": "x" * PART}).write()
    assert "too many" in caplog.text
    assert member(descriptor, 1, {}).own() is None


def test_nothing_is_left_in_a_folder(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    descriptor = open_group_file(processes=2)
    assert list(tmp_path.iterdir()) == []
    os.close(descriptor)


def test_a_place_is_told_on_the_command_line() -> None:
    given = GroupMember(descriptor=7, place=2)
    assert GroupMember.from_text(given.as_text()) == given
    assert given.name == "worker-2"
    assert GroupMember(descriptor=7, place=0).name == "projecting"
