"""Checksums, types, inventories and duplicates, on files made for the purpose."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from consumers.examples.allowed_folders import files_in
from consumers.examples.files import file_contents, folder_inventory


def quiet(fraction: float, words: str) -> None:
    assert 0 <= fraction <= 1
    assert words


def test_checksums_of_a_large_file_are_taken_in_one_pass_of_blocks(tmp_path: Path) -> None:
    body = bytes(range(256)) * 10_000
    path = tmp_path / "large.bin"
    path.write_bytes(body)
    told: list[int] = []

    found = file_contents.checksums(path, ["sha256", "md5"], told=told.append)

    assert found["sha256"] == hashlib.sha256(body).hexdigest()
    assert found["md5"] == hashlib.md5(body).hexdigest()
    assert sum(told) == len(body)
    assert len(told) > 1


def test_an_unknown_checksum_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"crc7.*sha256"):
        file_contents.checksums(tmp_path / "x", ["crc7"])


@pytest.mark.parametrize(
    ("name", "body", "kind"),
    [
        ("page.html", b"", "text/html"),
        ("picture", b"\x89PNG\r\n\x1a\n....", "image/png"),
        ("script", b"#!/bin/sh\n", "text/x-script"),
        ("words", "naïve".encode(), "text/plain"),
        ("cut", b"a" * 4095 + "é".encode(), "text/plain"),
        ("raw", b"\x00\x01", "application/octet-stream"),
        ("latin", b"na\xefve and more", "application/octet-stream"),
    ],
)
def test_a_media_type_is_read_from_the_name_or_the_first_bytes(
    tmp_path: Path, name: str, body: bytes, kind: str
) -> None:
    path = tmp_path / name
    path.write_bytes(body)

    assert file_contents.media_type(path) == kind


def test_an_inventory_counts_files_and_bytes_by_type(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.txt").write_bytes(b"x" * (number + 1))
    (tmp_path / "p.html").write_bytes(b"yy")

    found = folder_inventory.inventory(files_in(tmp_path), quiet)

    assert (found["files"], found["bytes"], found["largest"]) == (4, 8, "2.txt")
    assert found["by_type"]["text/plain"] == {"files": 3, "bytes": 6}


def test_duplicates_are_files_with_the_same_content_whatever_their_names(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"same size 1")
    (tmp_path / "b").write_bytes(b"same size 2")
    (tmp_path / "c").write_bytes(b"same size 1")
    (tmp_path / "d").write_bytes(b"alone")
    (tmp_path / "e").write_bytes(b"")
    (tmp_path / "f").write_bytes(b"")

    found = folder_inventory.duplicates(files_in(tmp_path), quiet, smallest=1)

    assert (found["files"], found["read"], found["groups"]) == (4, 3, 1)
    assert found["wasted_bytes"] == len(b"same size 1")
    assert [Path(path).name for path in found["worst"][0]["copies"]] == ["a", "c"]
