"""The command `coordinator`, and `python -m coordinator`: ends quietly on Ctrl-C, also while it imports.

Imports take a second, and Python would tell of an interruption there with a traceback. Until the command
has something to clean up, and again when it has done so, SIGINT does what it does to any program. A standard
stream that was closed is /dev/null.
"""

from __future__ import annotations

import os
import signal
import sys

__all__ = ["main"]


def main() -> int:
    """Run the command of the process's arguments; the exit status."""
    _end_at_once()
    _open_standard_streams()
    from coordinator.commands import cli  # noqa: PLC0415 - takes time

    try:
        return cli.main()
    finally:
        _end_at_once()


def _end_at_once() -> None:
    """Only where Python's own handler stands: a parent may have the signal ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _open_standard_streams() -> None:
    """Else their numbers go to sockets and pipes, which uvloop ends the process over, and which a child
    would take for its output.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:  # the lowest number that is free is this one
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


if __name__ == "__main__":
    sys.exit(main())
