"""Types a line and Tab into an interactive shell on a terminal of its own: tells what becomes of the line."""

from __future__ import annotations

import asyncio
import os
import pty
from pathlib import Path

__all__ = ["what_becomes_of"]

TAB, CONTROL_X = "\t", "\x18"
"""The shells are set up so that the second one writes the line to the file `line`, and ends them."""


async def what_becomes_of(line: str, home: Path, *shell: str) -> str:
    """``shell`` is run in ``home``, which is its user's home, too."""
    ours, its = pty.openpty()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TERM": "dumb",
        "LC_ALL": "C.UTF-8",
    }
    process = await asyncio.create_subprocess_exec(
        *shell, stdin=its, stdout=its, stderr=its, cwd=home, env=environment, start_new_session=True
    )
    os.close(its)
    os.write(ours, f"{line}{TAB}{CONTROL_X}".encode())
    said = bytearray()
    reading = asyncio.get_running_loop().run_in_executor(None, _read_all, ours, said)
    try:
        async with asyncio.timeout(60):
            await process.wait()
    except TimeoutError:
        process.kill()
        raise AssertionError(f"{shell[0]} goes on: {said.decode(errors='replace')}") from None
    finally:
        await reading
        os.close(ours)
    return (home / "line").read_text().rstrip("\n")


def _read_all(terminal: int, said: bytearray) -> None:
    """Until nobody has the other end. Without a reader, a shell waits for room in the terminal."""
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # how Linux says that the other end is closed
            return
        if not piece:
            return
        said += piece
