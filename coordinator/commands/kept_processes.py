"""Keeps child processes of the service running: starts another for each that ends, stops all in order.

this process ── spawn ─▶ `coordinator serve --duty …` ── ends ─▶ a pause ─▶ another takes its place
             ◀─ one line, over a pipe ── cannot start at all ─▶ `OperatorError` with that line
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from coordinator.environment import ENV_PREFIX, FILE
from coordinator.errors import OperatorError
from coordinator.rabbitmq_node.child_process import spawn
from coordinator.settings import Settings

__all__ = ["BEGUN", "PROJECTING", "SERVING", "KeptProcesses"]

logger = logging.getLogger(__name__)

PROJECTING, SERVING = ("--duty", "projecting"), ("--duty", "serving")
"""The options of the process that folds the log, and of one that answers requests beside it."""

FAILED = 1
"""The exit status of a process that has told the operator what to put right."""

STARTED_AFTER = 10.0
"""Seconds since it has begun; a process that fails sooner would fail again."""

BEGUN = b"\n"
"""What a process says once all is imported: until then it is the machine that takes the time."""

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds before another takes the place of one that died; doubled each time."""

STOPPING = 15.0
"""Seconds for the processes to stop, once they have drained; then they are killed."""

LONGEST_LINE = 4096
"""Bytes of what a process says when it cannot start: as many as a pipe takes at once."""


class KeptProcesses:
    """Starts processes with these settings; all of them end with this one, in whatever way it ends."""

    def __init__(self, settings: Settings) -> None:
        # What was given as an option reaches the process as a setting.
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name.upper() != f"{ENV_PREFIX}AMQP_URL{FILE}"
        }
        self._environment = inherited | {
            f"{ENV_PREFIX}AMQP_URL": settings.amqp_url or "",
            f"{ENV_PREFIX}DATA_DIR": str(settings.data_dir),
            f"{ENV_PREFIX}HTTP_HOST": settings.http_host,
            f"{ENV_PREFIX}HTTP_PORT": str(settings.http_port),
            f"{ENV_PREFIX}HTTP_WORKERS": "1",
            f"{ENV_PREFIX}PROJECTOR": settings.projector,
        }
        self._stopping = STOPPING + settings.drain_seconds
        self._running: set[asyncio.subprocess.Process] = set()

    async def keep(self, what: str, *options: str, descriptors: Sequence[int] = ()) -> NoReturn:
        """Have one process with these ``options`` at all times, called ``what`` in the log; it is given the
        open ``descriptors``, which the options name. Raises `OperatorError`, in its words, where it cannot
        start.
        """
        loop = asyncio.get_running_loop()
        pause = FIRST_PAUSE
        while True:
            process, code, said = await self._run(options, descriptors)
            line, lasted = said.line, loop.time() - (said.begun or loop.time())
            if code == FAILED and lasted < STARTED_AFTER:
                raise OperatorError(line or f"The {what} could not start: see what it said above")
            if line:
                logger.error("%s", line)
            logger.error(
                "a process of the service ended; another takes its place",
                extra={"duty": what, "pid": process.pid, "code": code},
            )
            if lasted > STARTED_AFTER:
                pause = FIRST_PAUSE
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _run(
        self, options: Sequence[str], descriptors: Sequence[int]
    ) -> tuple[asyncio.subprocess.Process, int, _Said]:
        """The process when it has ended, its exit status, and what it said."""
        told, tell = os.pipe()
        said = _Said(told)
        try:
            try:
                process = await spawn(
                    [
                        sys.executable,
                        "-m",
                        "coordinator",
                        "serve",
                        "--tell-fd",
                        str(tell),
                        *options,
                    ],
                    env=self._environment,
                    output=None,
                    pass_fds=[tell, *descriptors],
                )
            finally:
                os.close(tell)
            self._running.add(process)
            code = await process.wait()
            self._running.discard(process)
            said.read()
            return process, code, said
        finally:
            said.close()

    async def stop(self) -> None:
        """Ask all of them at once; who does not stop in time is killed."""
        running = set(self._running)
        for process in running:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
        ends = [asyncio.create_task(process.wait()) for process in running]
        if ends:
            _, late = await asyncio.wait(ends, timeout=self._stopping)
            if late:
                logger.error("processes that did not stop are killed", extra={"count": len(late)})
        for process in running:
            if process.returncode is None:
                process.kill()
                await process.wait()


class _Said:
    """Hears what a process says over its pipe."""

    def __init__(self, told: int) -> None:
        self.begun: float | None = None
        """When it has begun, on the clock of the event loop; None where it never has."""
        self._told = told
        self._bytes = b""
        self._loop = asyncio.get_running_loop()
        os.set_blocking(told, False)
        self._loop.add_reader(told, self.read)

    @property
    def line(self) -> str:
        """Why it cannot start, or cannot go on."""
        return self._bytes.decode(errors="replace").strip()

    def read(self) -> None:
        try:
            more = os.read(self._told, LONGEST_LINE)
        except BlockingIOError:  # nothing more, and a child of the process still has the pipe
            return
        if not more:
            self._loop.remove_reader(self._told)
        elif self.begun is None and more.startswith(BEGUN):
            self.begun = self._loop.time()
        self._bytes += more

    def close(self) -> None:
        self._loop.remove_reader(self._told)
        os.close(self._told)
