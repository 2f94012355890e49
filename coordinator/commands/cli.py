"""Runs the command line `coordinator`: parses it, runs the command, and makes an exit status of how it
ended.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from coordinator.api_commands.command_pages import API_COMMANDS
from coordinator.errors import OperatorError, Unavailable
from coordinator.log_lines import json_asked, print_line, tell_exceptions
from coordinator.missing_extra import missing_extra
from coordinator.unwritten_output import written

from .argument_parser import argument_parser
from .signal_handling import raise_on_interrupt

__all__ = ["main"]

FAILED, UNUSABLE, INTERRUPTED = 1, 2, 130
"""Exit statuses; argparse ends with 2 where the command line is wrong, and so do commands of the API where
what they need is not there: 1 is about tasks there.
"""

OF_NO_COMMAND = ("--help", "--version")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 1 with one line where an operator must fix something, or what
    it needs went away while it started.
    """
    if json_asked():
        tell_exceptions("coordinator")
    parser = argument_parser()
    words = sys.argv[1:] if arguments is None else arguments
    first = words[0].partition("=")[0] if words else ""
    if first.startswith("--") and not any(one.startswith(first) for one in OF_NO_COMMAND):
        # argparse would take what comes after it for the command
        parser.error(f"{first} comes after the command: coordinator COMMAND … {first} …")
    options = argparse.Namespace()

    def run() -> int:
        parser.parse_args(words, options)
        return _run(options)

    try:
        return written("coordinator" if first.startswith("-") else first or "coordinator", run)
    except (OperatorError, Unavailable) as exc:
        _tell(str(exc), getattr(options, "tell_fd", None))
        return FAILED
    except ModuleNotFoundError as exc:
        extra, status = ("cli", UNUSABLE) if _calls_the_api(options) else ("service", FAILED)
        told = missing_extra("this command", extra, exc)
        _tell(told, getattr(options, "tell_fd", None))
        return status
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(options: argparse.Namespace) -> int:
    """What a command needs is imported where it is run."""
    if _calls_the_api(options):
        if options.command == "completion":
            from coordinator.api_commands.shell_completion import (  # noqa: PLC0415
                completion_script,
            )

            print(completion_script(argument_parser(), options.shell))
            return 0
        from coordinator.api_commands.command_run import run  # noqa: PLC0415

        raise_on_interrupt()
        return run(options)
    from .subcommands import SUBCOMMANDS  # noqa: PLC0415

    return SUBCOMMANDS[options.command](options)


def _calls_the_api(options: argparse.Namespace) -> bool:
    """Or completes what one types. `agents` calls it without an action alone."""
    if options.command == "agents":
        return options.action is None
    return options.command == "completion" or any(
        options.command in names for _, names in API_COMMANDS
    )


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
