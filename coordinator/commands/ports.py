"""Declares how a command tells people what it does."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Says"]


class Says(Protocol):
    """Prints a line for people on the terminal."""

    def __call__(self, line: str, /) -> None:
        """Called with each line when what it says has happened; "" is an empty line. Raises nothing."""
