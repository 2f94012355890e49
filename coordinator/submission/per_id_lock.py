"""Locks ids, so that this process submits each one at a time and the second finds the first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

__all__ = ["PerIdLock"]


class PerIdLock:
    """Holds a lock for each id that is in use. Between processes it is the ledger that decides."""

    def __init__(self) -> None:
        self._held: dict[str, asyncio.Event] = {}

    @asynccontextmanager
    async def alone_with(self, names: Iterable[str]) -> AsyncIterator[None]:
        """Hold all of ``names``; they are taken in one order by everybody, so nobody waits in a
        circle.
        """
        mine: list[str] = []
        try:
            for name in sorted(set(names)):
                while (held := self._held.get(name)) is not None:
                    await held.wait()
                self._held[name] = asyncio.Event()
                mine.append(name)
            yield
        finally:
            for name in mine:
                self._held.pop(name).set()
