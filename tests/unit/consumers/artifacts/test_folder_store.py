"""What a folder keeps of an artifact, and what it does not give away."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumers import ArtifactMissing, ArtifactStoreRefused, ArtifactStoreUnavailable
from consumers._artifacts.folder_store import FolderStore


def test_what_was_put_is_there_whole_and_alone(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.put("t/1/u/n.txt", iter([b"ab", b"c"]), media_type="text/plain")
    assert b"".join(store.get("t/1/u/n.txt")) == b"abc"
    assert list((tmp_path / "t/1/u").iterdir()) == [tmp_path / "t/1/u/n.txt"]


def test_of_what_fails_half_way_nothing_is_left(tmp_path: Path) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"half"
        raise LookupError("no more")

    with pytest.raises(LookupError):
        FolderStore(tmp_path).put("t/1/u/n", chunks(), media_type="text/plain")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_link_that_leads_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("not yours")
    folder = tmp_path / "store"
    folder.mkdir()
    (folder / "x").symlink_to(tmp_path / "secret")
    with pytest.raises(ArtifactMissing):
        list(FolderStore(folder).get("x"))


def test_a_pipe_is_no_artifact(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ArtifactMissing):
        list(FolderStore(tmp_path).get("pipe"))


def test_nothing_is_written_in_the_place_of_a_mount_that_is_away(tmp_path: Path) -> None:
    folder = tmp_path / "mount"
    folder.mkdir()
    store = FolderStore(folder)
    folder.rmdir()
    with pytest.raises(ArtifactStoreRefused, match="make it, or mount it"):
        store.put("t/1/u/n", iter([b"x"]), media_type="text/plain")
    assert not folder.exists()
    with pytest.raises(ArtifactStoreRefused, match="make it, or mount it"):
        list(store.get("t/1/u/n"))


@pytest.mark.parametrize("key", ["n" * 300, "a/" * 3000 + "n", "circle", "file/n"])
def test_a_key_that_no_file_can_have_is_missing(tmp_path: Path, key: str) -> None:
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ArtifactMissing):
        list(FolderStore(tmp_path).get(key))


def test_a_full_disk_may_have_room_again_and_nothing_is_left_of_the_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ArtifactStoreUnavailable, match="No space left on device"):
        FolderStore(tmp_path).put("t/1/u/n", iter([b"x"]), media_type="text/plain")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
