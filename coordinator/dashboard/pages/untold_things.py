"""Collects what a service that is older than the dashboard does not tell, for one sentence on the page."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from coordinator.client import ApiError

__all__ = ["NO_SUCH_QUESTION", "UntoldThings"]

Answer = TypeVar("Answer")

NO_SUCH_QUESTION = frozenset({404, 405})
"""The statuses of a service that does not have what is asked for."""


class UntoldThings:
    """Of one page, in words that follow "does not tell"."""

    def __init__(self) -> None:
        self._words: list[str] = []

    def add(self, words: str) -> None:
        """The service does not tell this."""
        self._words.append(words)

    async def told(self, asked: Awaitable[Answer], words: str) -> Answer | None:
        """The answer; None where the service has no such question, which is noted by these words."""
        try:
            return await asked
        except ApiError as exc:
            if exc.status not in NO_SUCH_QUESTION:
                raise
            self.add(words)
            return None

    @property
    def sentence(self) -> str | None:
        """None where it tells all."""
        if not self._words:
            return None
        words = ", nor ".join(sorted(self._words))
        return f"The service is older than this dashboard: it does not tell {words}."
