"""The order of tests for several workers, each of which is handed a share that lies together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

__all__ = ["slow_first"]

T = TypeVar("T")


def slow_first(slow: Sequence[T], quick: Sequence[T], workers: int) -> list[T]:
    """Each worker's share begins with as many of the ``slow`` as any other's.

    `--dist worksteal` cuts the list into equal shares, and whoever is done takes from the end of
    another's: what is at the beginning of one is run first, and nobody waits for it at the end.
    """
    ordered: list[T] = []
    begun = 0
    for worker in range(workers):
        own = slow[worker::workers]
        left = len(slow) + len(quick) - len(ordered)
        ended = begun + max(0, left // (workers - worker) - len(own))
        ordered += [*own, *quick[begun:ended]]
        begun = ended
    return ordered + list(quick[begun:])
