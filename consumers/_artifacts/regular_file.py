"""Opens a regular file for reading, and nothing that would be waited for: a pipe, or a device."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

__all__ = ["NotRegularFile", "open_regular_file"]


class NotRegularFile(ValueError):
    """It is a folder, a pipe or a device."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{str(path)!r} is a folder, a pipe or a device: copy what it holds into a file first"
        )


def open_regular_file(path: Path) -> BinaryIO:
    """Raises `NotRegularFile`, and `OSError` where it cannot be opened."""
    if not stat.S_ISREG(path.stat().st_mode):  # a device may act on being opened
        raise NotRegularFile(path)
    # By now it may have become a pipe, which would be waited at for somebody to write to it.
    opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise NotRegularFile(path)
    return os.fdopen(opened, "rb")
