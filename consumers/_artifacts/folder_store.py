"""Keeps artifacts as files in a folder, on a mount that all agents share or on one machine."""

from __future__ import annotations

import errno
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .artifact_errors import ArtifactMissing, ArtifactStoreRefused, ArtifactStoreUnavailable

__all__ = ["FolderStore"]

CHUNK = 1024 * 1024


class FolderStore:
    """Writes a file under another name first, which begins with a dot, and syncs it: whoever has a reference
    finds all of it. Raises `ArtifactStoreRefused` where there is no such folder: nothing must be written in
    the place of a mount that is away, nor must what is on it be called missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._check()

    @property
    def address(self) -> str:
        return self._folder.as_uri()

    def put(self, key: str, chunks: Iterator[bytes], *, media_type: str) -> None:  # noqa: ARG002 - the reference has it
        self._check()
        path = self._folder / key
        part = path.with_name(f".{path.name}.part")
        with self._troubles_told():
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with part.open("xb") as file:
                    for chunk in chunks:
                        file.write(chunk)
                    file.flush()
                    os.fsync(file.fileno())
                part.rename(path)
            except BaseException:
                part.unlink(missing_ok=True)
                with suppress(OSError):
                    path.parent.rmdir()
                raise
            self._sync_folders(path.parent)

    def get(self, key: str) -> Generator[bytes, None, None]:
        self._check()
        with self._troubles_told():
            real = self._file(key)
            if real is None:
                raise ArtifactMissing(f"{self.address} has no artifact {key}")
            with real.open("rb") as file:
                while chunk := file.read(CHUNK):
                    yield chunk

    def _file(self, key: str) -> Path | None:
        """A link that somebody put there must not lead out, and a pipe would be read for ever."""
        try:
            real = (self._folder / key).resolve(strict=True)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except RuntimeError:  # links in a circle, before Python 3.13
            return None
        except OSError as exc:
            if exc.errno in (errno.ENAMETOOLONG, errno.ELOOP):
                return None
            raise
        inside = real.is_relative_to(self._folder.resolve())
        return real if inside and real.is_file() else None

    def _check(self) -> None:
        if not self._folder.is_dir():
            raise ArtifactStoreRefused(
                f"COORDINATOR_ARTIFACTS names {self.address}, and there is no such folder: make it, or"
                " mount it"
            )

    def _sync_folders(self, folder: Path) -> None:
        """Up to the store's own: a new name is in its folder alone."""
        while folder != self._folder:
            folder = folder.parent
            _sync(folder)

    @contextmanager
    def _troubles_told(self) -> Iterator[None]:
        try:
            yield
        except PermissionError as exc:
            raise ArtifactStoreRefused(
                f"the agent's user may not do that in {self.address}: {exc}"
            ) from exc
        except OSError as exc:
            raise ArtifactStoreUnavailable(f"{self.address}: {exc}") from exc


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    except OSError as exc:
        if exc.errno not in (errno.EINVAL, errno.ENOTSUP):  # of mounts that know no sync of folders
            raise
    finally:
        os.close(opened)
