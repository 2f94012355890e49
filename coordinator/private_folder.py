"""Makes folders that this user alone may look into, and tells of one that others may.

What is in the data folder is worth a password: the key of the task tokens, the tasks, the private node's
users.
"""

from __future__ import annotations

import stat
from pathlib import Path

__all__ = ["make_private_folder", "wide_folder"]

PRIVATE = 0o700
OTHERS = 0o077


def make_private_folder(folder: Path) -> None:
    """Make ``folder`` and what is missing above it, each for this user alone; one that is there stays as
    it is. Raises `OSError`.
    """
    if not folder.parent.exists():
        make_private_folder(folder.parent)
    folder.mkdir(mode=PRIVATE, exist_ok=True)


def wide_folder(folder: Path) -> str | None:
    """One line that names the fix, where others may read or write in ``folder``; None where they may not, or
    it cannot be told.
    """
    try:
        mode = stat.S_IMODE(folder.stat().st_mode)
    except OSError:
        return None
    if not mode & OTHERS:
        return None
    return f"Other users may look into the data folder {folder} (mode {mode:o}): run chmod 700 {folder}"
