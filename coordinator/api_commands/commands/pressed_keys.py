"""Reads the keys that are pressed while a command draws on the terminal: q ends it.

Keys are read off the terminal itself, all that have come: Python's `sys.stdin` would take them into a buffer
in which `select` sees none of them.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import tty
from collections.abc import Iterator

__all__ = ["PressedKeys", "QuitPressed", "pressed_keys"]

MOST = 1024
"""Bytes of one reading."""


class QuitPressed(Exception):
    """q was pressed, or the keyboard is gone."""


class PressedKeys:
    """Looks at the keyboard ``fd``; without one it only waits."""

    def __init__(self, fd: int | None) -> None:
        self._keyboards = [] if fd is None else [fd]

    def check(self, within: float = 0.0) -> None:
        """Raises `QuitPressed` where q was pressed since the last time, or is within so many seconds."""
        ready, _, _ = select.select(self._keyboards, [], [], within)
        for fd in ready:
            keys = os.read(fd, MOST)
            if not keys or b"q" in keys.lower():
                raise QuitPressed


@contextlib.contextmanager
def pressed_keys() -> Iterator[PressedKeys]:
    """Keys come one by one while this block lasts, those that were pressed before it, too; where there is a
    keyboard.
    """
    if not sys.stdin.isatty():
        yield PressedKeys(None)
        return
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)
    tty.setcbreak(
        fd, termios.TCSADRAIN
    )  # which keeps what was typed, as the usual TCSAFLUSH does not
    try:
        yield PressedKeys(fd)
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
