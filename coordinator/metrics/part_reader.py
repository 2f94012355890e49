"""Reads the parts of a scrape side by side, none for longer than Prometheus waits for the whole answer.

A broker or a database that hangs holds up its own part alone. What is late goes on, and is not asked a second
time meanwhile: the next scrape waits for the same answer, so that scrapes pile nothing up.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Generic, TypeVar

from coordinator.broker.asyncio_cancel import cancel_and_wait
from coordinator.errors import CoordinatorError

__all__ = ["PartReader"]

logger = logging.getLogger(__name__)

WITHIN = 2.0
"""Seconds. Prometheus gives up after ten, and then takes the whole service for one that is down."""

T = TypeVar("T")


class PartReader(Generic[T]):
    """``parts`` are called by each scrape, in tasks of their own; they may raise `CoordinatorError`."""

    def __init__(
        self, parts: Mapping[str, Callable[[], Awaitable[T]]], *, within: float = WITHIN
    ) -> None:
        self._parts = parts
        self._within = within
        self._late: dict[str, asyncio.Task[T]] = {}

    async def read(self) -> dict[str, T | None]:
        """What each part gave, by its name; None where it could not be read, or not in time."""
        asked = {name: self._asked(name, part) for name, part in self._parts.items()}
        await asyncio.wait(asked.values(), timeout=self._within)
        self._late = {name: one for name, one in asked.items() if not one.done()}
        return {name: self._given(name, one) for name, one in asked.items()}

    async def aclose(self) -> None:
        """Wait for nothing any more."""
        await cancel_and_wait(*self._late.values())

    def _asked(self, name: str, part: Callable[[], Awaitable[T]]) -> asyncio.Task[T]:
        late = self._late.get(name)
        if late is not None and not late.done():
            return late
        if late is not None and not late.cancelled():
            late.exception()  # it was told as late; what it came to is too old to be told
        return asyncio.create_task(_awaited(part))

    def _given(self, name: str, one: asyncio.Task[T]) -> T | None:
        try:
            if one.done():
                return one.result()
            why = f"no answer within {self._within:g} s"
        except CoordinatorError as exc:
            why = str(exc)
        logger.info("a part of the metrics is missing", extra={"part": name, "why": why})
        return None


async def _awaited(part: Callable[[], Awaitable[T]]) -> T:
    return await part()
