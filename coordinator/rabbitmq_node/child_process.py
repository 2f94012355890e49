"""Starts child processes that do not outlive this one.

Each has a session of its own: a terminal's Ctrl-C reaches the parent alone, which stops them in
order.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from coordinator.parent_death import die_with

__all__ = ["spawn", "spawn_obedient"]


async def spawn_obedient(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    output: Path,
    pass_fds: Sequence[int] = (),
    umask: int | None = None,
) -> Process:
    """Start a process that ends by itself at the end of its standard input.

    That is when the parent closes it, or ends in whatever way. ``umask``: of its files; None is as here.
    """
    with output.open("ab") as file:
        return await asyncio.create_subprocess_exec(
            *command,
            env=env,
            stdin=PIPE,
            stdout=file,
            stderr=STDOUT,
            pass_fds=pass_fds,
            start_new_session=True,
            preexec_fn=None if umask is None else partial(os.umask, umask),  # uvloop has no `umask`
        )


async def spawn(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    output: Path | None,
    pass_fds: Sequence[int] = (),
    umask: int | None = None,
) -> Process:
    """Start a process that is killed when this process ends, in whatever way. Without ``output`` it prints
    where this process does.

    Where there is no Linux, the child survives a SIGKILL of its parent (`coordinator.parent_death`). Call it
    from a thread that lasts.
    """
    with contextlib.ExitStack() as stack:
        file = None if output is None else stack.enter_context(output.open("ab"))
        return await asyncio.create_subprocess_exec(
            *command,
            env=env,
            stdin=DEVNULL,
            stdout=file,
            stderr=None if file is None else STDOUT,
            pass_fds=pass_fds,
            start_new_session=True,
            preexec_fn=_before_exec(die_with(os.getpid()), umask),
        )


def _before_exec(
    arrange: Callable[[], None] | None, umask: int | None
) -> Callable[[], None] | None:
    if umask is None:
        return arrange

    def both() -> None:
        os.umask(umask)
        if arrange is not None:
            arrange()

    return both
