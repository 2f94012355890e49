"""Runs the command line `coordinator`: parses it, runs the command, and makes an exit status of how it
ended.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from coordinator.errors import OperatorError, Unavailable
from coordinator.log_lines import json_asked, print_line, tell_exceptions
from coordinator.missing_extra import missing_extra

from .argument_parser import argument_parser
from .subcommands import SUBCOMMANDS

__all__ = ["main"]

FAILED, INTERRUPTED = 1, 130
"""Exit statuses; argparse ends with 2 where the command line is wrong."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 1 with one line where an operator must fix something, or what
    it needs went away while it started.
    """
    if json_asked():
        tell_exceptions("coordinator")
    options = argument_parser().parse_args(arguments)
    try:
        return SUBCOMMANDS[options.command](options)
    except (OperatorError, Unavailable) as exc:
        _tell(str(exc), getattr(options, "tell_fd", None))
        return FAILED
    except ModuleNotFoundError as exc:
        _tell(missing_extra("this command", "service", exc), getattr(options, "tell_fd", None))
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def _tell(line: str, parent: int | None) -> None:
    """A child's parent says it, once for all that could not start for the same reason."""
    if parent is not None:
        with suppress(OSError):  # such as: the parent stops, and has closed the pipe
            os.write(parent, line.encode())
        return
    print_line(
        line,
        logger="coordinator",
        level=logging.ERROR,
        stream=sys.stderr,
        prefix="coordinator: ",
    )


if __name__ == "__main__":
    sys.exit(main())
