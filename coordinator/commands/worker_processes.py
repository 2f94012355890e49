"""Runs the worker processes of `coordinator serve --workers N`, behind one socket and over one ledger.

    parent: binds the socket, starts the processes, starts another for each that dies
      ├── worker 1 … N: `coordinator serve --socket-fd FD --duty serving`
      └── `coordinator serve --duty projecting`: folds the log, for all of them

A worker is no part of another: each has its own connections to the broker and its own copy of the fleet
in memory. With `--projector same` there is no projecting process, each worker is a whole coordinator, and one
of them folds the log at a time. The parent serves nothing, so it has nothing that could fail. Nor does it
listen: connections are refused until the first worker can answer them.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any, NoReturn, Protocol

from coordinator.bootstrap import prepare
from coordinator.broker.asyncio_cancel import cancel_and_wait
from coordinator.settings import Settings, counted_apart
from coordinator.web_server.server_socket import address, answers, bind

from .kept_processes import PROJECTING, SERVING, KeptProcesses
from .ports import Says

__all__ = ["serve_with_workers"]

logger = logging.getLogger(__name__)

LOOK = 0.05
"""Seconds between two looks at whether a worker listens."""


class KeepsProcesses(Protocol):
    """Keeps processes running: `KeptProcesses`."""

    async def keep(self, what: str, *options: str, socket_fd: int | None = None) -> NoReturn:
        """Have one at all times. Raises `OperatorError` where it cannot start."""

    async def stop(self) -> None:
        """End all of them."""


async def serve_with_workers(
    settings: Settings,
    say: Says,
    *,
    keeps: Callable[[Settings], KeepsProcesses] = KeptProcesses,
) -> None:
    """Serve with ``settings.http_workers`` processes; ends only by cancellation, or with an `OperatorError`
    where a process cannot start. ``keeps`` makes what keeps them.
    """
    apart = counted_apart(settings)
    if apart is not None:
        logger.warning("%s", apart)
    listener = bind(settings.http_host, settings.http_port)
    processes = keeps(settings)
    options: tuple[str, ...] = ()
    kept: list[asyncio.Task[Any]] = []
    try:
        await prepare(settings)
        if settings.projects_apart:
            options = SERVING
            kept.append(asyncio.create_task(processes.keep("projecting process", *PROJECTING)))
        for number in range(1, settings.http_workers + 1):
            worker = processes.keep(f"worker {number}", *options, socket_fd=listener.fileno())
            kept.append(asyncio.create_task(worker))
        kept.append(asyncio.create_task(_told(listener, settings, say)))
        done, _ = await asyncio.wait(kept, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        listener.close()
        await cancel_and_wait(*kept)
        await processes.stop()


async def _told(listener: socket.socket, settings: Settings, say: Says) -> None:
    """Tell where it is once the first worker takes requests there."""
    while not answers(listener):  # noqa: ASYNC110 - another process sees to it
        await asyncio.sleep(LOOK)
    where = address(listener, tls=settings.tls_certificate is not None)
    say(f"listening on {where} with {settings.http_workers} workers")
