"""Runs the worker processes of `coordinator serve --workers N`, behind one socket and over one ledger.

    parent: binds the socket, starts the workers, starts another for each that dies
      └── worker 1 … N: `coordinator serve --socket-fd FD`, each a whole coordinator

A worker is no part of another: each has its own connections to the broker, its own copy of the fleet
in memory, and one of them folds the log at a time. The parent serves nothing, so it has nothing that
could fail. Nor does it listen: connections are refused until the first worker can answer them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any, NoReturn, Protocol

from coordinator.bootstrap import prepare
from coordinator.broker.asyncio_cancel import cancel_and_wait
from coordinator.environment import ENV_PREFIX, FILE
from coordinator.errors import OperatorError
from coordinator.rabbitmq_node.child_process import spawn
from coordinator.settings import Settings
from coordinator.web_server.server_socket import address, answers, bind

from .ports import Says

__all__ = ["WorkerProcesses", "serve_with_workers"]

logger = logging.getLogger(__name__)

FAILED = 1
"""The exit status of a worker that has told the operator what to put right."""

STARTED_AFTER = 10.0
"""Seconds; a worker that fails sooner would fail again."""

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds before another takes the place of a worker that died; doubled each time."""

LOOK = 0.05
"""Seconds between two looks at whether a worker listens."""

STOPPING = 15.0
"""Seconds for the workers to stop; then they are killed."""


class KeepsWorkers(Protocol):
    """Keeps worker processes running: `WorkerProcesses`."""

    async def keep(self, number: int) -> NoReturn:
        """Have one worker at all times. Raises `OperatorError` where it cannot start."""

    async def stop(self) -> None:
        """End all of them."""


async def serve_with_workers(
    settings: Settings,
    say: Says,
    *,
    keeps: Callable[[Settings, socket.socket], KeepsWorkers] | None = None,
) -> None:
    """Serve with ``settings.http_workers`` processes; ends only by cancellation, or with an `OperatorError`
    where a worker cannot start. ``keeps`` makes what keeps them, by default `WorkerProcesses`.
    """
    listener = bind(settings.http_host, settings.http_port)
    workers = (keeps or WorkerProcesses)(settings, listener)
    kept: list[asyncio.Task[Any]] = []
    try:
        await prepare(settings)
        numbers = range(1, settings.http_workers + 1)
        kept += [asyncio.create_task(workers.keep(number)) for number in numbers]
        kept.append(asyncio.create_task(_told(listener, settings.http_workers, say)))
        done, _ = await asyncio.wait(kept, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        listener.close()
        await cancel_and_wait(*kept)
        await workers.stop()


async def _told(listener: socket.socket, workers: int, say: Says) -> None:
    """Tell where it is once the first worker takes requests there."""
    while not answers(listener):  # noqa: ASYNC110 - another process sees to it
        await asyncio.sleep(LOOK)
    say(f"listening on {address(listener)} with {workers} workers")


class WorkerProcesses:
    """Starts the worker processes on the ``listener`` that they share, and another for each that ends."""

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self._socket = listener.fileno()
        # What was given as an option reaches a worker as a setting.
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name.upper() != f"{ENV_PREFIX}AMQP_URL{FILE}"
        }
        self._environment = inherited | {
            f"{ENV_PREFIX}AMQP_URL": settings.amqp_url or "",
            f"{ENV_PREFIX}DATA_DIR": str(settings.data_dir),
            f"{ENV_PREFIX}HTTP_WORKERS": "1",
        }
        self._running: set[asyncio.subprocess.Process] = set()

    async def keep(self, number: int) -> NoReturn:
        """Have one worker at all times."""
        loop = asyncio.get_running_loop()
        pause = FIRST_PAUSE
        while True:
            began = loop.time()
            worker = await self._start()
            code = await worker.wait()
            self._running.discard(worker)
            lasted = loop.time() - began
            if code == FAILED and lasted < STARTED_AFTER:
                raise OperatorError("A worker could not start: see what it said above")
            logger.error(
                "a worker ended; another takes its place",
                extra={"worker": number, "pid": worker.pid, "code": code},
            )
            if lasted > STARTED_AFTER:
                pause = FIRST_PAUSE
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _start(self) -> asyncio.subprocess.Process:
        command = [sys.executable, "-m", "coordinator", "serve"]
        worker = await spawn(
            [*command, "--socket-fd", str(self._socket)],
            env=self._environment,
            output=None,
            pass_fds=[self._socket],
        )
        self._running.add(worker)
        return worker

    async def stop(self) -> None:
        """Ask all of them at once; who does not stop in time is killed."""
        for worker in self._running:
            if worker.returncode is None:
                worker.send_signal(signal.SIGTERM)
        ends = [asyncio.create_task(worker.wait()) for worker in self._running]
        if ends:
            _, late = await asyncio.wait(ends, timeout=STOPPING)
            if late:
                logger.error("workers that did not stop are killed", extra={"count": len(late)})
        for worker in self._running:
            if worker.returncode is None:
                worker.kill()
                await worker.wait()
