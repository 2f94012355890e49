"""Decides which files a handler may read: task data comes from outside, so a path in it is never trusted.

A path is either ``<place>/<rest>``, where the place is a folder with a name, or absolute and inside
one of the places. Links are followed before the check, so that a link cannot lead out.
"""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PLACES_VARIABLE", "AllowedFolders", "ForbiddenPath", "default_folders", "files_in"]

PLACES_VARIABLE = "EXAMPLE_PLACES"
"""More folders that the examples may read: ``name=/folder`` pairs, separated as PATH is."""


class ForbiddenPath(ValueError):
    """Says that the path is not in a folder that this agent may read."""


@dataclass(frozen=True, slots=True)
class AllowedFolders:
    """Resolves paths in folders that have names."""

    folders: Mapping[str, Path]

    def resolve(self, path: object) -> Path:
        """The file or folder that ``path`` means. Raises `ForbiddenPath` or `FileNotFoundError`."""
        if not isinstance(path, str) or not path or "\0" in path:
            raise ForbiddenPath(f"A path must be a string such as {self._example!r}, not {path!r}")
        found = self._locate(path)
        if not any(found.is_relative_to(folder.resolve()) for folder in self.folders.values()):
            raise ForbiddenPath(
                f"{path!r} is outside the folders that this agent may read: {self}. "
                f"An operator can add one with {PLACES_VARIABLE}=name=/folder"
            )
        if not found.exists():
            raise FileNotFoundError(f"There is no {path!r} on the machine of this agent")
        return found

    def name_of(self, path: Path) -> str:
        """``path`` as ``<place>/<rest>``."""
        for name, folder in self.folders.items():
            if path.is_relative_to(folder.resolve()):
                return (Path(name) / path.relative_to(folder.resolve())).as_posix()
        return str(path)

    def _locate(self, path: str) -> Path:
        if Path(path).is_absolute():
            return Path(path).resolve()
        name, _, rest = path.partition("/")
        folder = self.folders.get(name)
        if folder is None:
            raise ForbiddenPath(
                f"{path!r} does not begin with a folder that this agent may read: {self}"
            )
        return (folder / rest).resolve()

    @property
    def _example(self) -> str:
        return f"{next(iter(self.folders), 'library')}/name.md"

    def __str__(self) -> str:
        return ", ".join(sorted(self.folders))


NOT_ITS_OWN = frozenset({"site-packages", "dist-packages", "__pycache__"})
"""Folders inside the files of Python that belong to whatever was installed, or come and go."""


def files_in(folder: Path) -> Iterator[Path]:
    """Every regular file below ``folder``, in the order of their names.

    Links and the folders in `NOT_ITS_OWN` are left out.
    """
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(set(folders) - NOT_ITS_OWN)
        for name in sorted(files):
            path = Path(here, name)
            if path.is_file() and not path.is_symlink():
                yield path


def default_folders(environment: Mapping[str, str] = os.environ) -> AllowedFolders:
    """The library that ships with the examples, the files of Python itself, the licence texts that
    Debian keeps, and what `PLACES_VARIABLE` adds.
    """
    folders = {
        "library": Path(__file__).parent / "documents" / "library",
        "python": Path(sysconfig.get_path("stdlib")),
        "licences": Path("/usr/share/common-licenses"),
    }
    for pair in filter(None, environment.get(PLACES_VARIABLE, "").split(os.pathsep)):
        name, _, folder = pair.partition("=")
        folders[name] = Path(folder or name)
    return AllowedFolders({name: folder for name, folder in folders.items() if folder.is_dir()})
