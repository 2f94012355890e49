"""The command `coordinator`, and `python -m coordinator`: ends quietly on Ctrl-C, also while it imports.

Imports take a second, and Python would tell of an interruption there with a traceback. Until the command
has something to clean up, and again when it has done so, SIGINT does what it does to any program. A standard
stream that was closed is /dev/null.
"""

from __future__ import annotations

import signal
import sys

from coordinator.standard_streams import open_standard_streams

__all__ = ["main"]


def main() -> int:
    """Run the command of the process's arguments; the exit status."""
    _end_at_once()
    open_standard_streams()
    from coordinator.commands import cli  # noqa: PLC0415 - takes time

    try:
        return cli.main()
    finally:
        _end_at_once()


def _end_at_once() -> None:
    """Only where Python's own handler stands: a parent may have the signal ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


if __name__ == "__main__":
    sys.exit(main())
