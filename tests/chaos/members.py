"""The processes that are killed, suspended and restarted: coordinators and agents. Whoever ends one
starts it again.
"""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from tests.e2e.processes import Process, spawned

__all__ = ["Member", "a_coordinator", "an_agent"]

RECONCILE_AFTER = 120
"""Seconds: far less than usual, and more than a fault keeps a message in somebody's hands. An agent is
suspended or cut off for up to 50 s; what it holds and others overtake meanwhile is not missing.
"""

HEARTBEAT_INTERVAL = 2
"""Seconds: an attempt is not taken for lost sooner than after three."""


class Member:
    """A process with a name that is to run all the time. Each of its lives has an output of its own."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
    ) -> None:
        self.name = name
        self._command = command
        self._folder = folder
        self._environment = environment
        self._lives = 0
        self._life = AsyncExitStack()
        self._process: Process | None = None

    @property
    def running(self) -> Process:
        """Fails where it has ended by itself."""
        assert self._process is not None
        assert not self._process.ended, f"{self.name} ended: {self._process.printed[-3000:]}"
        return self._process

    async def start(self) -> None:
        self._lives += 1
        output = self._folder / f"{self.name}.{self._lives}.out"
        environment = {**self._environment, "CHAOS_LIFE": str(self._lives)}
        self._process = await self._life.enter_async_context(
            spawned(*self._command, output=output, environment=environment)
        )

    async def prints(self, pattern: re.Pattern[str]) -> None:
        """Wait until its output matches."""
        await self.running.prints(pattern)

    async def kill(self) -> None:
        """Without warning, as a crash would."""
        process = self.running
        process.signal(signal.SIGKILL)
        await process.wait()
        await self._life.aclose()

    def suspend(self) -> None:
        self.running.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.running.signal(signal.SIGCONT)

    async def stop(self) -> None:
        """In good order; fails where that does not work, or where it had ended by itself."""
        process = self.running
        process.signal(signal.SIGTERM)
        status = await process.wait(within=120)
        assert status == 0, f"{self.name} ended with {status}: {process.printed[-3000:]}"
        await self._life.aclose()

    async def end(self) -> None:
        """In any way, where it still runs."""
        if self._process is not None and not self._process.ended:
            await self.kill()


def an_agent(
    name: str,
    *,
    amqp_url: str,
    folder: Path,
    executions: Path,
    capabilities: str,
    slots: int,
    clocks: str = "0",
) -> Member:
    """``clocks``: by how many seconds its clock is ahead, in turn for each of its lives."""
    return Member(
        name,
        [sys.executable, "-m", "consumers", "tests.chaos.agents:agent"],
        folder=folder,
        environment={
            "COORDINATOR_AMQP_URL": amqp_url,
            "XDG_CACHE_HOME": str(folder / "cache"),
            "CHAOS_AGENT": name,
            "CHAOS_CAPABILITIES": capabilities,
            "CHAOS_CLOCKS": clocks,
            "CHAOS_EXECUTIONS": str(executions),
            "CHAOS_SLOTS": str(slots),
        },
    )


def a_coordinator(
    name: str,
    *,
    amqp_url: str,
    port: int,
    folder: Path,
    database_url: str,
    attempt_lost_after: int,
) -> Member:
    """``attempt_lost_after``: seconds."""
    command = [sys.executable, "-m", "coordinator", "serve", "--port", str(port)]
    return Member(
        name,
        [*command, "--data-dir", str(folder)],
        folder=folder,
        environment={
            "COORDINATOR_AMQP_URL": amqp_url,
            "COORDINATOR_DATABASE_URL": database_url,
            "COORDINATOR_RECONCILE_AFTER": str(RECONCILE_AFTER),
            "COORDINATOR_ATTEMPT_LOST_AFTER": str(attempt_lost_after),
            "COORDINATOR_HEARTBEAT_INTERVAL": str(HEARTBEAT_INTERVAL),
        },
    )
