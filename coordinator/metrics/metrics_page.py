"""Answers a scrape with the sum over all processes of the service."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from .counted_figures import CountedFigures
from .current_figures import CurrentFigures, Figures
from .exposition import exposition
from .group_file import GroupFile, GroupMember
from .metric_catalogue import BUILD
from .process_figures import process_figures

__all__ = ["MetricsPage"]

ALONE = "worker-1"
"""The name of a process that is the whole service, as of the first that serves beside others."""


class MetricsPage:
    """Tells the figures of this process and, where it is a ``member`` of a group, of all others. ``held`` is
    what this one has at this moment, which is added up, too.
    """

    def __init__(
        self,
        counted: CountedFigures,
        current: CurrentFigures,
        *,
        version: str,
        held: Callable[[], Figures],
        member: GroupMember | None = None,
    ) -> None:
        self._counted = counted
        self._current = current
        self._name = ALONE if member is None else member.name
        self._version = version
        self._held = held
        self._group = None if member is None else GroupFile(member, self._part)
        self._one_at_a_time = asyncio.Lock()
        before = None if self._group is None else self._group.own()
        if before is not None:
            counted.add(before["figures"])

    async def run(self) -> NoReturn:
        """Tell the other processes what this one counts, where there are some."""
        if self._group is not None:
            await self._group.run()
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    async def aclose(self) -> None:
        """Tell the last of it, as a process that stops in good order does."""
        await self._current.aclose()
        if self._group is not None:
            self._group.write()

    async def scrape(self, accept: str = "") -> tuple[bytes, str]:
        """The page and its media type. Scrapes wait for each other, so that many at once are no load."""
        async with self._one_at_a_time:
            current = await self._current.read()
            parts = [self._part()]
            if self._group is not None:
                self._group.write()  # what was shown once is not lost, and no counter goes back from it
                parts += self._group.others()
            return await asyncio.to_thread(self._written, parts, current, accept)

    def _part(self) -> dict[str, Any]:
        return {
            "name": self._name,
            "pid": os.getpid(),
            "held": {
                name: [[list(labels), value] for labels, value in values.items()]
                for name, values in self._held().items()
            },
            "figures": self._counted.as_plain(),
        }

    def _written(
        self, parts: list[dict[str, Any]], current: Figures, accept: str
    ) -> tuple[bytes, str]:
        current = current | process_figures({part["name"]: part["pid"] for part in parts})
        current |= _sum_of_held(parts)
        current[BUILD.name] = {(self._version,): 1}
        counted = CountedFigures.sum_of(part["figures"] for part in parts)
        return exposition(counted, current, accept)


def _sum_of_held(parts: Iterable[dict[str, Any]]) -> Figures:
    found: Figures = {}
    for part in parts:
        for name, values in part["held"].items():
            own = found.setdefault(name, {})
            for labels, value in values:
                own[tuple(labels)] = own.get(tuple(labels), 0) + value
    return found
