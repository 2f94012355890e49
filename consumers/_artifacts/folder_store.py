"""Keeps artifacts as files in a folder, on a mount that all agents share or on one machine."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from .artifact_errors import ArtifactMissing, ArtifactStoreRefused, ArtifactStoreUnavailable
from .regular_file import NotRegularFile, open_regular_file

__all__ = ["FolderStore"]

CHUNK = 1024 * 1024


class FolderStore:
    """Writes a file under another name first, which begins with a dot, and syncs it: whoever has a reference
    finds all of it. Raises `ArtifactStoreRefused` where there is no such folder: nothing must be written in
    the place of a mount that is away, nor must what is on it be called missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with self._troubles_told():
            self._check()

    @property
    def address(self) -> str:
        return self._folder.as_uri()

    def put(self, key: str, chunks: Iterator[bytes], *, media_type: str) -> None:  # noqa: ARG002 - the reference has it
        with self._troubles_told():
            self._check()
            path = self._folder / key
            part = path.with_name(f".{path.name}.part")
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with part.open("xb") as file:
                    for chunk in chunks:
                        file.write(chunk)
                    file.flush()
                    os.fsync(file.fileno())
                part.rename(path)
            except BaseException:
                with suppress(OSError):  # what went wrong first is told
                    part.unlink(missing_ok=True)
                    path.parent.rmdir()
                raise
            self._sync_folders(path.parent)

    def get(self, key: str) -> Generator[bytes, None, None]:
        with self._troubles_told():
            self._check()
            file = self._opened(key)
            if file is None:
                raise ArtifactMissing(f"{self.address} has no artifact {key}")
            with file:
                while chunk := file.read(CHUNK):
                    yield chunk

    def _opened(self, key: str) -> BinaryIO | None:
        """A link that somebody put there must not lead out, and a pipe would be read for ever."""
        try:
            real = (self._folder / key).resolve(strict=True)
            inside = real.is_relative_to(self._folder.resolve())
            return open_regular_file(real) if inside else None
        except (FileNotFoundError, NotADirectoryError, NotRegularFile):
            return None
        except RuntimeError:  # links in a circle, before Python 3.13
            return None
        except OSError as exc:
            if exc.errno in (errno.ENAMETOOLONG, errno.ELOOP):
                return None
            raise

    def _check(self) -> None:
        """Raises `OSError` where the folder cannot be looked at, which is not to say that it is not there."""
        try:
            there = stat.S_ISDIR(self._folder.stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            there = False
        if not there:
            raise ArtifactStoreRefused(
                f"COORDINATOR_ARTIFACTS names {self.address}, and there is no such folder: make it, or"
                " mount it"
            )

    def _sync_folders(self, folder: Path) -> None:
        """Up to the store's own: a new name is in its folder alone."""
        for each in (folder, *folder.parents):
            _sync(each)
            if each == self._folder:
                break

    @contextmanager
    def _troubles_told(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            told = f"{self.address}: {exc}"
            if exc.errno in _REFUSALS:
                raise ArtifactStoreRefused(
                    f"{told}: let the agent's user read and write there"
                ) from exc
            if exc.errno == errno.ESTALE:
                told += ": the server of the mount has another folder by now, mount it anew"
            raise ArtifactStoreUnavailable(told) from exc


_REFUSALS = (errno.EACCES, errno.EPERM, errno.EROFS)


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    except OSError as exc:
        if exc.errno not in (errno.EINVAL, errno.ENOTSUP):  # of mounts that know no sync of folders
            raise
    finally:
        os.close(opened)
