"""Writes files that this user alone may read, whatever mode a file of that name had before; tells of one
that others may read.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

__all__ = ["PRIVATE_FILE", "wide_file", "write_private_file"]

PRIVATE_FILE = 0o600
OTHERS = 0o077


def write_private_file(path: Path, text: str, *, mode: int = PRIVATE_FILE) -> None:
    """Put a new file in the place of ``path``, in one step: whoever could read the old one, or has it open,
    sees nothing of ``text``, and whoever reads meanwhile sees all of the one or all of the other. Raises
    `OSError`.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # of mode 600
    fresh = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(file.fileno(), mode)
        fresh.replace(path)
    except BaseException:
        fresh.unlink()
        raise


def wide_file(path: Path) -> str | None:
    """One line that names the fix, where others may read or write the ledger ``path``; None where they may
    not, also since its folder keeps them out, or it cannot be told.
    """
    try:
        modes = [stat.S_IMODE(one.stat().st_mode) for one in (path.parent, path)]
    except OSError:
        return None
    if not all(mode & OTHERS for mode in modes):
        return None
    return f"Other users may read the ledger {path} (mode {modes[1]:o}): run chmod 600 {path}"
