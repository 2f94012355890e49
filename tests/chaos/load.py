"""The steady load: producers that submit, submit again what is in doubt, and cancel.

They keep within reach of the agents, and in step with the faults.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx

from tests.chaos.book import Book
from tests.chaos.workload import Wish

__all__ = ["Load"]

PRODUCERS = 8
REQUEST_TIMEOUT = 60.0
"""Seconds. Far more than the service may take to say that the broker does not answer."""

BATCHES = (1, 20, 50, 100)
WAIT = 0.05
TRICKLE = 0.5
"""Seconds between two requests of one producer while the load is ahead of the faults."""

PATIENCE = 0.5
"""Seconds before what was not taken is sent again."""


class Load:
    """``has_room`` tells whether the agents keep up, ``is_ahead`` whether the faults do not: then the
    load goes on as a trickle, so that a service that stops accepting is noticed.
    """

    def __init__(
        self,
        urls: Sequence[str],
        wishes: Iterator[Wish],
        book: Book,
        *,
        rng: random.Random,
        has_room: Callable[[], bool],
        is_ahead: Callable[[], bool],
    ) -> None:
        self._urls = urls
        self._wishes = wishes
        self._book = book
        self._rng = rng
        self._has_room = has_room
        self._is_ahead = is_ahead
        self._recent: deque[str] = deque(maxlen=500)
        self._stopping = asyncio.Event()
        self._clients: list[httpx.AsyncClient] = []

    @asynccontextmanager
    async def running(self, *, producers: int = PRODUCERS) -> AsyncIterator[None]:
        """Ends once every request has its answer. Raises what no service may answer."""
        async with asyncio.TaskGroup() as producing:
            self._clients = [
                httpx.AsyncClient(base_url=url, timeout=REQUEST_TIMEOUT, trust_env=False)
                for url in self._urls
            ]
            for _ in range(producers):
                producing.create_task(self._produce())
            try:
                yield
            finally:
                self._stopping.set()
        for client in self._clients:
            await client.aclose()

    async def submit_all(self, wishes: Sequence[Wish]) -> None:
        """Until each is accepted."""
        while missing := [one for one in wishes if one.number not in self._book.numbers]:
            await self._submit_batch(missing)

    async def _produce(self) -> None:
        while not self._stopping.is_set():
            if not self._has_room():
                await asyncio.sleep(WAIT)
                continue
            ahead = self._is_ahead()
            if ahead:
                await asyncio.sleep(TRICKLE)
            chance = self._rng.random()
            if chance < 0.1:
                await self._cancel()
            elif chance < 0.4 or ahead:
                wishes = [next(self._wishes)]
                await self._submit(*wishes)
                await self._settle_doubts(wishes)
            else:
                wishes = list(itertools.islice(self._wishes, self._rng.choice(BATCHES)))
                await self._submit_batch(wishes)
                await self._settle_doubts(wishes)

    # --- one by one ---------------------------------------------------------------------------

    async def _submit(self, wish: Wish) -> None:
        self._book.send([wish])
        answer = await self._post("/tasks/submit", wish.body)
        if not isinstance(answer, httpx.Response):
            self._unanswered([wish], in_doubt=answer)
            return
        told = answer.json()
        if answer.status_code == 200:
            self._accepted(wish, told["task_id"])
            return
        assert answer.status_code == 503, f"{answer.status_code} {answer.text}"
        if "task_id" in told:
            self._book.doubt(wish, told["task_id"], "unknown")
        else:
            self._book.refuse(wish)
            await asyncio.sleep(PATIENCE)

    # --- in batches ---------------------------------------------------------------------------

    async def _submit_batch(self, wishes: Sequence[Wish]) -> None:
        self._book.send(wishes)
        answer = await self._post("/tasks/submit/batch", {"tasks": [one.body for one in wishes]})
        if not isinstance(answer, httpx.Response) or answer.status_code == 503:
            self._unanswered(wishes, in_doubt=answer is True)
            await asyncio.sleep(PATIENCE)
            return
        assert answer.status_code == 200, f"{answer.status_code} {answer.text}"
        for wish, told in zip(wishes, answer.json()["results"], strict=True):
            match told["status"]:
                case "accepted":
                    self._accepted(wish, told["task_id"])
                case "unknown":
                    self._book.doubt(wish, told["task_id"], "unknown")
                case _:
                    assert told["error"]["status_code"] == 503, told
                    self._book.refuse(wish)

    async def _settle_doubts(self, wishes: Sequence[Wish]) -> None:
        """As the answer "unknown" advises: submit again, with the id, until that is answered. Half of
        the producers do not care to.
        """
        if self._rng.random() < 0.5:
            return
        while again := [one for one in wishes if self._book.id_in_doubt(one)]:
            if self._stopping.is_set():
                return
            await asyncio.sleep(PATIENCE)
            await self._submit_batch([one.with_id(self._book.id_in_doubt(one)) for one in again])

    # --- cancelling ---------------------------------------------------------------------------

    async def _cancel(self) -> None:
        if not self._recent:
            return
        task_id = self._rng.choice(self._recent)
        self._book.cancelling.add(task_id)
        answer = await self._post(f"/tasks/{task_id}/cancel", {})
        if isinstance(answer, httpx.Response):
            assert answer.status_code in (200, 202, 409, 503), f"{answer.status_code} {answer.text}"
            self._book.answers[f"cancel {answer.status_code}"] += 1
            if answer.status_code == 200:
                self._book.cancelled.add(task_id)

    # --- what was answered ------------------------------------------------------------------

    def _unanswered(self, wishes: Sequence[Wish], *, in_doubt: bool) -> None:
        for wish in wishes:
            if in_doubt:
                self._book.doubt(wish, wish.own_id, "no answer")
            else:
                self._book.refuse(wish)

    # --- asking -------------------------------------------------------------------------------

    def _accepted(self, wish: Wish, task_id: str) -> None:
        self._book.accept(wish, task_id)
        self._recent.append(task_id)

    async def _post(self, path: str, body: dict[str, Any]) -> httpx.Response | bool:
        """The answer of either coordinator; without one, whether the request may have reached it."""
        began = time.monotonic()
        try:
            answer = await self._rng.choice(self._clients).post(path, json=body)
            self._book.took(str(answer.status_code), time.monotonic() - began)
            return answer
        except (httpx.ConnectError, httpx.ConnectTimeout):
            await asyncio.sleep(WAIT)
            return False
        except httpx.TransportError:
            self._book.took("no answer", time.monotonic() - began)
            return True
