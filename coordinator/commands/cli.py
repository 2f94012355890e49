"""Runs the command line `coordinator`: parses it, runs the command, and makes an exit status of how it
ended.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from coordinator.errors import OperatorError, Unavailable

from .argument_parser import argument_parser
from .subcommands import SUBCOMMANDS

__all__ = ["main"]

FAILED, INTERRUPTED = 1, 130
"""Exit statuses; argparse ends with 2 where the command line is wrong."""

OWN = frozenset({"coordinator", "consumers"})
"""Packages whose modules are there, or something is broken that no installation puts right."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 1 with one line where an operator must fix something, or what
    it needs went away while it started.
    """
    options = argument_parser().parse_args(arguments)
    try:
        return SUBCOMMANDS[options.command](options)
    except (OperatorError, Unavailable) as exc:
        print(f"coordinator: {exc}", file=sys.stderr)
        return FAILED
    except ModuleNotFoundError as exc:
        if (exc.name or "").partition(".")[0] in OWN:
            raise
        print(
            f"coordinator: this command needs the extra `service` ({exc.name} is not installed): run"
            " pip install 'agent-coordinator[service]'",
            file=sys.stderr,
        )
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
