"""Ends a command whose standard output cannot be written in one line, and not with a traceback: a full disk,
or a reader that went, as behind `| head -1`.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable

from coordinator.errors import OperatorError

__all__ = ["UNREAD", "written"]

UNREAD = 141
"""The exit status where nobody reads any more what is printed; that of a program that SIGPIPE ends."""

_OF_OUTPUT = frozenset({errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def written(command: str, run: Callable[[], int]) -> int:
    """The exit status of ``run``, once all that it printed is written, or `UNREAD`. Raises `OperatorError`
    where it cannot be written. Other errors of the system, such as those of a file, are raised as they are.
    """
    try:
        return _flushed(run)
    except OSError as exc:
        if exc.errno not in _OF_OUTPUT or exc.filename is not None:
            raise
        _leave_the_rest()
        if exc.errno == errno.EPIPE:
            return UNREAD
        raise OperatorError(
            f"The answer to `{command}` could not be written: {exc.strerror}"
        ) from exc


def _flushed(run: Callable[[], int]) -> int:
    try:
        status = run()
    except SystemExit as end:  # such as that of argparse after `--help`
        if isinstance(end.__context__, BrokenPipeError):  # rich ends so, with 1, where nobody reads
            return UNREAD
        _flush()
        raise
    _flush()
    return status


def _flush() -> None:
    if sys.stdout is not None and not sys.stdout.closed:
        sys.stdout.flush()


def _leave_the_rest() -> None:
    """What is left in the buffers goes nowhere, as Python ends, too."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
