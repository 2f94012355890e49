"""Runs an agent: `python -m coordinator.agents path/to/file.py:agent`, or `package.module:agent`.

As `python -m consumers` does, but also in a folder that has a file `consumers.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from .sdk_import import import_sdk

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """The exit status, as of `consumers.__main__.main`."""
    given = sys.argv[1:] if arguments is None else arguments
    # The folder of an agent's file is looked into first, from now on: it decides, too, whose module
    # `consumers` is.
    for argument in given:
        place = argument.rpartition(":")[0] if ":" in argument else argument
        if place.endswith(".py"):
            sys.path.insert(0, str(Path(place).resolve().parent))
    ended: int = import_sdk("__main__").main(arguments, prog="python -m coordinator.agents")
    return ended


if __name__ == "__main__":
    sys.exit(main())
