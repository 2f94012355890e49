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
import os
import socket
from collections.abc import Callable
from typing import Any

from coordinator.bootstrap import prepare
from coordinator.broker.asyncio_cancel import cancel_and_wait
from coordinator.metrics.group_file import GroupMember, open_group_file
from coordinator.settings import Settings, counted_apart
from coordinator.web_server.connection_draining import turn_away
from coordinator.web_server.server_socket import address, answers, bind

from .kept_processes import SERVING, KeptProcesses
from .observability.metrics_listener import metrics_listener, say_where_metrics_are
from .ports import KeepsProcesses, Says
from .projector_process import projecting

__all__ = ["serve_with_workers"]

logger = logging.getLogger(__name__)

LOOK = 0.05
"""Seconds between two looks at whether a worker listens."""


async def serve_with_workers(
    settings: Settings,
    say: Says,
    activated: socket.socket | None = None,
    *,
    keeps: Callable[[Settings], KeepsProcesses] = KeptProcesses,
) -> None:
    """Serve with ``settings.http_workers`` processes; ends only by cancellation, or with an `OperatorError`
    where a process cannot start. ``activated`` is the socket where the service manager has passed it, else
    one is bound. ``keeps`` makes what keeps them.
    """
    apart = counted_apart(settings)
    if apart is not None:
        logger.warning("%s", apart)
    listener = activated or bind(settings.http_host, settings.http_port)
    scraped = metrics_listener(settings)
    figures = open_group_file(processes=settings.http_workers + 1)
    processes = keeps(settings)
    options: tuple[str, ...] = ("--socket-fd", str(listener.fileno()))
    descriptors = [listener.fileno(), figures]
    if scraped is not None:
        options = (*options, "--metrics-fd", str(scraped.fileno()))
        descriptors.append(scraped.fileno())
    kept: list[asyncio.Task[Any]] = []
    try:
        await prepare(settings)
        if settings.projects_apart:
            options = (*SERVING, *options)
            kept.append(asyncio.create_task(projecting(processes, figures)))
        for number in range(1, settings.http_workers + 1):
            member = GroupMember(descriptor=figures, place=number)
            told = (*options, "--figures", member.as_text())
            worker = processes.keep(f"worker {number}", *told, descriptors=descriptors)
            kept.append(asyncio.create_task(worker))
        kept.append(asyncio.create_task(_told(listener, settings, say)))
        say_where_metrics_are(scraped, say)
        done, _ = await asyncio.wait(kept, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        await cancel_and_wait(*kept)
        stopping = asyncio.create_task(processes.stop(), name="stopping workers")
        if activated is None and settings.drain_seconds > 0:
            await asyncio.wait([stopping], timeout=settings.drain_seconds)
            turn_away(listener)
        listener.close()
        await stopping
        os.close(figures)
        if scraped is not None:
            scraped.close()


async def _told(listener: socket.socket, settings: Settings, say: Says) -> None:
    """Tell where it is once the first worker takes requests there."""
    while not answers(listener):  # noqa: ASYNC110 - another process sees to it
        await asyncio.sleep(LOOK)
    where = address(listener, tls=settings.tls_certificate is not None)
    say(f"listening on {where} with {settings.http_workers} workers")
