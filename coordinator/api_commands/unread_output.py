"""Ends a command that follows something once nobody reads its standard output any more.

That is so behind `| head -2`. Of a pipe one learns it by writing alone, and the next event may be hours away:
the command would sit there, and with it the script that has had its two lines.
"""

from __future__ import annotations

import os
import select
import stat
import sys
import threading

from .exit_statuses import UNREAD

__all__ = ["end_when_unread"]


def end_when_unread() -> None:
    """From now on this process ends, with `UNREAD`, as the last reader of the pipe that it prints to goes.
    Does nothing where it prints to something else, or the system does not tell (Windows).
    """
    try:
        output = sys.stdout.fileno()
        pipe = stat.S_ISFIFO(os.fstat(output).st_mode)
    except (OSError, ValueError, AttributeError):  # closed, or a test's that is no file
        return
    if pipe and hasattr(select, "poll"):
        threading.Thread(
            target=_wait_until_unread, args=(output,), name="unread output", daemon=True
        ).start()


def _wait_until_unread(output: int) -> None:
    watched = select.poll()
    watched.register(output, 0)  # an error is told in any case, and a pipe has one without a reader
    if any(told & select.POLLERR for _, told in watched.poll()):
        os._exit(UNREAD)
