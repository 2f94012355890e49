"""Producers that submit all the time, while something is done to the service."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable

import httpx

from tests.support.trusted_certificates import trusted_certificates
from tests.support.waiting import eventually

__all__ = ["SteadyProducers"]

KEEPING, OPENING = 4, 4
"""Producers that keep a connection, and that open one for each request."""
SOME = 100
"""Tasks between two steps of a restart."""


class SteadyProducers:
    """Submit all the time, and note what was not answered with 200."""

    def __init__(self, base_url: str, trusting: ssl.SSLContext | None = None) -> None:
        self.base_url = base_url
        self._trusting = trusting or trusted_certificates()
        self.accepted = 0
        self.refused: list[str] = []

    @contextlib.asynccontextmanager
    async def submitting(self) -> AsyncIterator[None]:
        stop = asyncio.Event()
        kinds = [self._keeping] * KEEPING + [self._opening] * OPENING
        works = [asyncio.create_task(kind(stop.is_set)) for kind in kinds]
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*works)

    async def more(self) -> None:
        """Wait until some more were accepted."""
        wanted = self.accepted + SOME
        await eventually(lambda: self.accepted >= wanted, timeout=60)

    async def _keeping(self, stopped: Callable[[], bool]) -> None:
        async with self._client() as http:
            while not stopped():
                await self._submit(http)

    async def _opening(self, stopped: Callable[[], bool]) -> None:
        while not stopped():
            async with self._client() as http:
                await self._submit(http)

    async def _submit(self, http: httpx.AsyncClient) -> None:
        try:
            answer = await http.post("/tasks/submit", json={"task_data": {}})
        except httpx.HTTPError as exc:
            self.refused.append(repr(exc))
            return
        if answer.status_code == 200:
            self.accepted += 1
        else:
            self.refused.append(answer.text)

    async def all_known(self) -> None:
        """Wait until the service knows as many tasks as it has accepted."""
        async with self._client() as http:

            async def counted() -> bool:
                stats = (await http.get("/tasks/status")).json()["stats"]
                return bool(stats["tasks_distributed"] == self.accepted)

            await eventually(counted, timeout=60)

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self.base_url, timeout=120, verify=self._trusting, trust_env=False
        )
