"""Ends a fork that a handler made and that comes back from the handler.

It is a copy of the whole agent, with the same connection to the broker: were it to go on, it would talk
to the broker in between the agent's own words.
"""

from __future__ import annotations

import logging
import os
import sys
from types import TracebackType

__all__ = ["ForkGuard"]

logger = logging.getLogger(__name__)


class ForkGuard:
    """Ends what is forked in its `with` there, with the exit code of a program that ends so: that of
    `sys.exit`, 1 for another exception, else 0.
    """

    __slots__ = ("_pid",)

    def __enter__(self) -> None:
        self._pid = os.getpid()

    def __exit__(
        self, _: type[BaseException] | None, exc: BaseException | None, __: TracebackType | None
    ) -> None:
        if os.getpid() != self._pid:
            _end(exc)


def _end(exc: BaseException | None) -> None:
    try:
        if exc is not None and not isinstance(exc, SystemExit):
            logger.error("a fork of the agent has failed", exc_info=exc)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    finally:
        os._exit(_exit_code(exc))


def _exit_code(exc: BaseException | None) -> int:
    if not isinstance(exc, SystemExit):
        return 0 if exc is None else 1
    if exc.code is None or isinstance(exc.code, int):
        return (exc.code or 0) & 0xFF
    return 1
