"""Declares how a command tells people what it does, and how it has other processes kept running."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn, Protocol

__all__ = ["KeepsProcesses", "Says"]


class Says(Protocol):
    """Prints a line for people on the terminal."""

    def __call__(self, line: str, /) -> None:
        """Called with each line when what it says has happened; "" is an empty line. Raises nothing."""


class KeepsProcesses(Protocol):
    """Keeps processes running: `KeptProcesses`."""

    async def keep(self, what: str, *options: str, descriptors: Sequence[int] = ()) -> NoReturn:
        """Have one at all times. Raises `OperatorError` where it cannot start."""

    async def stop(self) -> None:
        """End all of them."""
