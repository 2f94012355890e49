"""Starts agents anew when a Python file below their folders is saved; see `reload_agents`."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from coordinator.log_lines import print_line

from .agent_subprocess import AgentSubprocess
from .saved_files import saved_files
from .syntax_check import syntax_problem

__all__ = ["reload_agents"]

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def reload_agents(
    command: Sequence[str], *, files: Collection[Path], folders: Collection[Path]
) -> int:
    """Run ``command`` until a signal ends it, or it ends well by itself; start it anew when a Python file in
    one of ``folders`` or below is saved. Returns its exit code.

    A file that cannot be compiled, one of ``files`` at first, leaves what runs as it is, and the next save
    is waited for; so it is when the command fails. Raises `OperatorError` where the kernel watches no more
    folders.
    """
    return asyncio.run(_Reloader(command, folders).run(files))


class _Reloader:
    """Holds the process that runs, and the files that cannot be compiled."""

    def __init__(self, command: Sequence[str], folders: Collection[Path]) -> None:
        self._command = command
        self._folders = folders
        self._running: AgentSubprocess | None = None
        self._broken: set[Path] = set()
        self._told = asyncio.Event()

    async def run(self, files: Collection[Path]) -> int:
        loop = asyncio.get_running_loop()
        for number in STOPPING:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
                loop.add_signal_handler(number, self._tell)
        watching_ends = asyncio.Event()
        saves: asyncio.Queue[set[Path]] = asyncio.Queue()
        watching = asyncio.create_task(self._watch(saves, watching_ends))
        await asyncio.sleep(0)  # from here on no save is missed
        try:
            await self._start_unless_broken(set(files))
            return await self._until_ended(saves, watching)
        finally:
            watching_ends.set()
            await asyncio.wait({watching})
            if self._running is not None:  # where it could not be watched any more
                await self._running.stop()

    async def _watch(self, saves: asyncio.Queue[set[Path]], ends: asyncio.Event) -> None:
        async for saved in saved_files(self._folders, ends):
            saves.put_nowait(saved)

    async def _until_ended(
        self, saves: asyncio.Queue[set[Path]], watching: asyncio.Task[None]
    ) -> int:
        saved = asyncio.create_task(saves.get())
        told = asyncio.create_task(self._told.wait())
        try:
            while not told.done():
                running = {self._running.ended} if self._running else set[asyncio.Task[int]]()
                await asyncio.wait(
                    {saved, told, watching, *running}, return_when=asyncio.FIRST_COMPLETED
                )
                if watching.done():
                    watching.result()  # raises what keeps it from watching
                code = self._seen_end()
                if code == 0:
                    return 0
                if saved.done() and not told.done():
                    await self._start_unless_broken(saved.result() | _waiting(saves))
                    saved = asyncio.create_task(saves.get())
            return await self._end_as_told()
        finally:
            saved.cancel()
            told.cancel()

    async def _start_unless_broken(self, saved: set[Path]) -> None:
        self._broken = {file for file in self._broken | saved if syntax_problem([file])}
        problem = syntax_problem(self._broken)
        if problem is not None:
            _say(f"{problem}: waiting for the next save", logging.ERROR)
            return
        if self._running is not None:
            _say(f"{', '.join(sorted(file.name for file in saved))} was saved: starting anew")
            await self._running.stop()
        if self._told.is_set():
            return
        self._running = await AgentSubprocess.start(self._command)
        if self._told.is_set():  # while it was being started
            self._running.tell()

    def _seen_end(self) -> int | None:
        """The code with which the command has ended by itself; None while it runs."""
        if self._running is None or not self._running.ended.done():
            return None
        code = self._running.ended.result()
        self._running = None
        if code != 0 and not self._told.is_set():
            _say(f"ended with {code}: waiting for the next save", logging.ERROR)
        return code

    async def _end_as_told(self) -> int:
        if self._running is None:
            return 0
        code = await self._running.ended
        return max(code, 0)  # a signal has ended it before it listened: that was what it was told

    def _tell(self) -> None:
        self._told.set()
        if self._running is not None:
            self._running.tell()


def _waiting(saves: asyncio.Queue[set[Path]]) -> set[Path]:
    """What was saved meanwhile: one start is enough for all of it."""
    found: set[Path] = set()
    while not saves.empty():
        found |= saves.get_nowait()
    return found


def _say(text: str, level: int = logging.INFO) -> None:
    print_line(text, logger="consumers.reload", level=level, stream=sys.stderr, prefix="reload: ")
