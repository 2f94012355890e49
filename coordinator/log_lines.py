"""Writes each line of a service or an agent as one JSON object, where `COORDINATOR_LOG_FORMAT` says so.

Everything that a process says of itself is a line then: what it prints where it listens, why it cannot start,
and an exception that ends it. Nothing is printed that a collector would have to take apart.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, NoReturn, TextIO

from coordinator.environment import ENV_PREFIX, value_of

__all__ = [
    "LOG_FORMAT",
    "JsonFormatter",
    "LineArgumentParser",
    "fields_of",
    "json_asked",
    "print_line",
    "printable",
    "tell_exceptions",
]

LOG_FORMAT = f"{ENV_PREFIX}LOG_FORMAT"

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def json_asked() -> bool:
    """Whether the environment asks for JSON: known before any setting is read, for what is told by then."""
    told = value_of(LOG_FORMAT)
    return told is not None and told.strip().lower() == "json"


def fields_of(record: logging.LogRecord) -> dict[str, object]:
    """What was passed in ``extra``."""
    return {
        key: value
        for key, value in vars(record).items()
        if key not in _STANDARD and not key.startswith("color")
    }


def printable(line: str) -> str:
    """``line`` with an escape for each character that a terminal might act on, or that would begin another
    line: a value may be what somebody sent.
    """
    return line if line.isprintable() else "".join(map(_shown, line))


def _shown(character: str) -> str:
    return character if character.isprintable() else ascii(character)[1:-1]


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **fields_of(record),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)


def print_line(
    text: str,
    *,
    logger: str,
    level: int,
    stream: TextIO,
    exc: BaseException | None = None,
    prefix: str = "",
) -> None:
    """Print ``text`` after ``prefix``, or as one JSON object without it, where that is asked for; an empty
    one is none then. ``exc`` is told in JSON alone. Raises `BrokenPipeError`.
    """
    if not json_asked():
        print(f"{prefix}{text}", file=stream, flush=True)
    elif text.strip():
        info = None if exc is None else (type(exc), exc, exc.__traceback__)
        record = logging.LogRecord(logger, level, "", 0, text.strip(), None, info)
        print(JsonFormatter().format(record), file=stream, flush=True)


def tell_exceptions(logger: str) -> None:
    """From now on an exception that ends the process, or a thread, is one line, and so are warnings."""

    def told(text: str, exc: BaseException | None) -> None:
        if isinstance(exc, KeyboardInterrupt):
            return
        print_line(text, logger=logger, level=logging.CRITICAL, stream=sys.stderr, exc=exc)

    def of_process(
        kind: type[BaseException], exc: BaseException, _: TracebackType | None, /
    ) -> None:
        told(f"ended by {kind.__name__}: {exc}", exc)

    def of_thread(args: threading.ExceptHookArgs, /) -> None:
        told(f"a thread was ended by {args.exc_type.__name__}: {args.exc_value}", args.exc_value)

    def ignored(args: Any, /) -> None:
        told(f"{args.err_msg or 'Exception ignored in'}: {args.object!r}", args.exc_value)

    sys.excepthook = of_process
    threading.excepthook = of_thread
    sys.unraisablehook = ignored
    logging.captureWarnings(True)


class LineArgumentParser(argparse.ArgumentParser):
    """Tells what is wrong with a command line in one line, where JSON is asked for, and as the command that
    does not know an argument: argparse leaves that to the parser above, whose usage has none of the options.
    """

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        options, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return options, unknown

    def error(self, message: str) -> NoReturn:
        if not json_asked():
            super().error(message)
        text = f"{message}: see {self.prog} --help"
        print_line(text, logger=self.prog, level=logging.ERROR, stream=sys.stderr)
        self.exit(2)
