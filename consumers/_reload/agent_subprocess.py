"""Starts the process in which agents run, and stops it: it drains first, then hurries, then is killed."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress

from coordinator.parent_death import die_with

__all__ = ["DRAIN", "HURRY", "AgentSubprocess"]

DRAIN = 5.0
"""Seconds for which handlers go on that run when a file is saved."""

HURRY = 10.0
"""Seconds for which those may go on that were told to stop."""

_NO_BYTECODE = {"PYTHONDONTWRITEBYTECODE": "1"}
"""Bytecode is tied to a source by its second and size alone: of two quick saves the second would not run."""


class AgentSubprocess:
    """Is one run of a command, in a process group of its own: Ctrl-C is for who started it, and told on. It
    is killed where who started it is.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.ended = asyncio.create_task(process.wait())
        """Its exit code, once it has ended; that of a signal is negative."""

    @classmethod
    async def start(cls, command: Sequence[str]) -> AgentSubprocess:
        environment = {**os.environ, **_NO_BYTECODE}
        process = await asyncio.create_subprocess_exec(
            *command, process_group=0, env=environment, preexec_fn=die_with(os.getpid())
        )
        return cls(process)

    def tell(self) -> None:
        """It drains when it is told first, and hurries when it is told again."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)

    async def stop(self, *, drain: float = DRAIN, hurry: float = HURRY) -> None:
        """Wait until it has ended, for so many seconds each; then it is killed."""
        for patience in (drain, hurry):
            self.tell()
            await asyncio.wait({self.ended}, timeout=patience)
            if self.ended.done():
                return
        with suppress(ProcessLookupError):
            self._process.kill()
        await self.ended
