"""The order of tests for several workers, each of which is handed a share that lies together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

__all__ = ["spread"]

T = TypeVar("T")


def spread(slow: Sequence[T], quick: Sequence[T], workers: int) -> list[T]:
    """Each worker's share has as many of the ``slow`` as any other's, evenly over its first three quarters.

    `--dist worksteal` cuts the list into equal shares, and whoever is done takes from the end of
    another's: nobody waits for a slow one at the end. Nor do all workers run slow ones at once, which have
    processes of their own and would keep each other waiting.
    """
    ordered: list[T] = []
    begun = 0
    for worker in range(workers):
        own = slow[worker::workers]
        left = len(slow) + len(quick) - len(ordered)
        ended = begun + max(0, left // (workers - worker) - len(own))
        ordered += _among(own, quick[begun:ended])
        begun = ended
    return ordered + list(quick[begun:])


def _among(slow: Sequence[T], quick: Sequence[T]) -> list[T]:
    """A slow one first, the last no later than three quarters of the ``quick``."""
    ordered: list[T] = []
    begun = 0
    for number, one in enumerate(slow, start=1):
        ended = len(quick) * 3 * number // (4 * len(slow))
        ordered += [one, *quick[begun:ended]]
        begun = ended
    return ordered + list(quick[begun:])
