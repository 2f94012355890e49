"""Has a child process killed when its parent ends, in whatever way: by a SIGKILL, too."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

__all__ = ["die_with"]

PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> Callable[[], None] | None:
    """What a child does between fork and exec, as its `preexec_fn`, to be killed when ``parent`` ends.

    The kernel of Linux does it when the thread that has forked ends: fork in a thread that lasts. Elsewhere
    this is None, and the child survives a SIGKILL of its parent.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # looked up here: between fork and exec little is allowed

    def arrange() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the kernel was told
            os.kill(os.getpid(), signal.SIGKILL)

    return arrange
