"""Examines for all who ask at about the same time.

An examination opens connections of its own and takes a second, or more where something does not answer; pages
that show it are looked at again and again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from coordinator.doctor.checks.finding import Finding

__all__ = ["Examined", "SharedExamination"]

FRESH_FOR = 15.0
"""Seconds."""


class Examined(NamedTuple):
    """Holds what an examination has found."""

    findings: Sequence[Finding]
    seconds_ago: float
    """When it ended."""


class SharedExamination:
    """Calls ``examine`` where the last findings are not fresh any more, once at a time. It raises nothing of
    its own; ``monotonic`` tells seconds, from any start.
    """

    def __init__(
        self,
        examine: Callable[[], Awaitable[Sequence[Finding]]],
        *,
        fresh_for: float = FRESH_FOR,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._examine = examine
        self._fresh_for = fresh_for
        self._monotonic = monotonic
        self._under_way: asyncio.Task[None] | None = None
        self._found: Sequence[Finding] = ()
        self._ended: float | None = None

    async def __call__(self) -> Examined:
        """The findings, at most so many seconds old."""
        if self._ended is None or self._monotonic() - self._ended >= self._fresh_for:
            if self._under_way is None:
                self._under_way = asyncio.create_task(self._look())
            await asyncio.shield(self._under_way)
        ended = self._monotonic() if self._ended is None else self._ended
        return Examined(findings=self._found, seconds_ago=self._monotonic() - ended)

    async def _look(self) -> None:
        try:
            self._found = await self._examine()
            self._ended = self._monotonic()
        finally:
            self._under_way = None
