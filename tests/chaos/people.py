"""The people who answer what handlers ask, through whichever coordinator answers."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import httpx

from coordinator.broker.asyncio_cancel import cancel_and_wait
from tests.chaos.asking import answer_for
from tests.chaos.book import Book

__all__ = ["People"]

BETWEEN = 0.2
"""Seconds between two looks."""

REQUEST_TIMEOUT = 60.0


class People:
    """Look who asks, and answer; some answers are given twice."""

    def __init__(self, urls: Sequence[str], book: Book, *, rng: random.Random) -> None:
        self._urls = urls
        self._book = book
        self._rng = rng

    @asynccontextmanager
    async def answering(self) -> AsyncIterator[None]:
        """Raises what no service may answer."""
        async with asyncio.TaskGroup() as group:
            answering = group.create_task(self._answer_all())
            try:
                yield
            finally:
                await cancel_and_wait(answering)

    async def _answer_all(self) -> NoReturn:
        async with httpx.AsyncClient(timeout=REQUEST_TIMEOUT, trust_env=False) as http:
            while True:
                # It may be killed at this moment; what has no answer is asked again.
                with contextlib.suppress(httpx.TransportError):
                    await self._look(http, self._rng.choice(self._urls))
                await asyncio.sleep(BETWEEN)

    async def _look(self, http: httpx.AsyncClient, url: str) -> None:
        found = await http.get(f"{url}/tasks?state=input_required&limit=200")
        if found.status_code == 503:
            return
        found.raise_for_status()
        for one in found.json()["tasks"]:
            task_id = one["task_id"]
            told = await http.get(f"{url}/tasks/{task_id}")
            if told.status_code == 503:
                continue
            told.raise_for_status()
            await self._answer(http, f"{url}/tasks/{task_id}/input", told.json()["task"])

    async def _answer(self, http: httpx.AsyncClient, url: str, task: dict[str, Any]) -> None:
        """409: another answer, the end of the wait, or a cancellation came first."""
        question = task["question"]
        answer = None if question is None else answer_for(question["question"])
        if answer is None:
            return
        body = {"answer": answer, "question_id": question["question_id"]}
        for _ in range(self._rng.choice([1, 1, 2])):
            said = await http.post(url, json=body)
            assert said.status_code in (200, 202, 409, 503), f"{said.status_code} {said.text}"
            self._book.answers[f"input {said.status_code}"] += 1
