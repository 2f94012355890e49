"""Child processes that never outlive this one, and never see its Ctrl-C."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import Callable, Sequence
from pathlib import Path

__all__ = ["spawn"]

PR_SET_PDEATHSIG = 1


async def spawn(
    command: Sequence[str], *, env: dict[str, str], output: Path, pass_fds: Sequence[int] = ()
) -> Process:
    """Start ``command`` in a session of its own, its output in a file.

    On Linux the kernel kills it when the thread that called this ends, even by SIGKILL: call it
    from a thread that lasts. Elsewhere a child survives the SIGKILL of its parent.
    """
    with output.open("ab") as file:
        return await asyncio.create_subprocess_exec(
            *command,
            env=env,
            stdin=DEVNULL,
            stdout=file,
            stderr=STDOUT,
            pass_fds=pass_fds,
            start_new_session=True,  # a terminal's Ctrl-C goes to one session only
            preexec_fn=_die_with(os.getpid()),
        )


def _die_with(parent: int) -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # looked up here: between fork and exec little is allowed

    def arrange() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the kernel was told
            os.kill(os.getpid(), signal.SIGKILL)

    return arrange
