"""What a folder keeps of an artifact, and what it does not give away."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from consumers import ArtifactMissing, ArtifactStoreRefused, ArtifactStoreUnavailable
from consumers._artifacts.folder_store import FolderStore
from consumers._artifacts.store_address import opened_store
from coordinator.errors import OperatorError


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


def test_each_folder_with_a_new_name_in_it_is_synced_once_the_name_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: dict[int, list[str]] = {}
    fsync = os.fsync

    def noting(opened: int) -> None:
        fsync(opened)
        if stat.S_ISDIR(os.fstat(opened).st_mode):
            synced[os.fstat(opened).st_ino] = os.listdir(opened)

    monkeypatch.setattr(os, "fsync", noting)
    FolderStore(tmp_path).put("t/1/u/n.txt", iter([b"x"]), media_type="text/plain")
    expected = {"t/1/u": ["n.txt"], "t/1": ["u"], "t": ["1"], "": ["t"]}
    assert synced == {(tmp_path / name).stat().st_ino: held for name, held in expected.items()}


TROUBLES = [
    (errno.EACCES, ArtifactStoreRefused, "let the agent's user read and write there"),
    (errno.EROFS, ArtifactStoreRefused, "let the agent's user read and write there"),
    (errno.ESTALE, ArtifactStoreUnavailable, "mount it anew"),
    (errno.EIO, ArtifactStoreUnavailable, "Input/output error"),
]


@pytest.fixture
def trouble(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, int], None]:
    """Makes the system answer so whenever it is asked about the path."""
    looked = os.stat

    def begins(path: Path, code: int) -> None:
        def stat_of(asked: Any, **options: Any) -> os.stat_result:
            if asked in (path, str(path)):
                raise OSError(code, os.strerror(code), str(asked))
            return looked(asked, **options)

        monkeypatch.setattr(os, "stat", stat_of)

    return begins


@pytest.mark.parametrize(("code", "error", "sentence"), TROUBLES)
def test_a_mount_in_trouble_is_told_in_a_sentence_that_says_what_to_do(
    tmp_path: Path,
    trouble: Callable[[Path, int], None],
    code: int,
    error: type[Exception],
    sentence: str,
) -> None:
    store = FolderStore(tmp_path)
    store.put("t/1/u/n", iter([b"x"]), media_type="text/plain")
    trouble(tmp_path, code)
    with pytest.raises(error, match=sentence):
        store.put("t/2/u/n", iter([b"x"]), media_type="text/plain")
    with pytest.raises(error, match=sentence):
        list(store.get("t/1/u/n"))


@pytest.mark.parametrize(("code", "_error", "sentence"), TROUBLES)
def test_an_agent_whose_mount_is_in_trouble_does_not_start(
    tmp_path: Path, trouble: Callable[[Path, int], None], code: int, _error: Any, sentence: str
) -> None:
    trouble(tmp_path, code)
    with pytest.raises(OperatorError, match=sentence):
        opened_store(tmp_path.as_uri())
