"""Moves artifacts for handlers without holding up the event loop.

A coroutine awaits what a thread does; whoever calls in a thread waits there. A transfer that nobody waits for
any more is stopped where it moves its next piece.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from .._artifacts.artifact_errors import ArtifactStoreRefused
from .._artifacts.artifact_store import ArtifactStore
from .._artifacts.artifacts import Artifacts
from .handler_threads import HandlerThreads

__all__ = ["ArtifactTransfers", "Transfer", "TransferStopped"]

Transfer = Callable[[Artifacts, Callable[[], None]], Any]
"""Is given the way to the store, and what to call with each piece: that raises where it is to stop."""


class TransferStopped(Exception):
    """Nobody waits for this transfer any more."""


class ArtifactTransfers:
    """Belongs to an agent, and is made on its event loop. ``store`` is None where it has none;
    ``threads`` are for transfers alone.
    """

    def __init__(self, store: ArtifactStore | None, threads: HandlerThreads) -> None:
        self._artifacts = None if store is None else Artifacts(store)
        self._threads = threads
        self._loop_thread = threading.get_ident()

    def run(self, transfer: Transfer, on_piece: Callable[[], None]) -> Any:
        """On the loop something to be awaited; in a thread what ``transfer`` returns. ``on_piece`` is called
        for each piece, in the thread that moves it, and may raise `TransferStopped`.
        """
        if threading.get_ident() == self._loop_thread:
            return self._awaited(transfer, on_piece)
        return self._moved(transfer, on_piece)

    async def _awaited(self, transfer: Transfer, on_piece: Callable[[], None]) -> Any:
        stopped = threading.Event()

        def each() -> None:
            if stopped.is_set():
                raise TransferStopped
            on_piece()

        try:
            ended = await self._threads.start(self._moved, transfer, each)
        finally:
            stopped.set()
        if ended.error is not None:
            raise ended.error
        return ended.value

    def _moved(self, transfer: Transfer, each: Callable[[], None]) -> Any:
        if self._artifacts is None:
            raise ArtifactStoreRefused
        return transfer(self._artifacts, each)
