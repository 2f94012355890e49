"""Logging: constant sentences with fields, for people or for collectors."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

__all__ = ["TextFormatter", "set_up_logging"]

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def _fields(record: logging.LogRecord) -> dict[str, object]:
    """What was passed in ``extra``."""
    return {
        key: value
        for key, value in vars(record).items()
        if key not in _STANDARD and not key.startswith("color")
    }


def _escaped(line: str) -> str:
    """With an escape for each character that a terminal might act on, or that would begin another line: a
    value may be what somebody sent.
    """
    return line if line.isprintable() else "".join(map(_shown, line))


def _shown(character: str) -> str:
    return character if character.isprintable() else ascii(character)[1:-1]


class TextFormatter(logging.Formatter):
    """``12:30:59 WARNING registry: lost the connection  connection=…``"""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).astimezone().strftime("%H:%M:%S")
        fields = "".join(f"  {key}={value}" for key, value in _fields(record).items())
        name = record.name.removeprefix("coordinator.")
        line = _escaped(f"{time} {record.levelname:<7} {name}: {record.getMessage()}{fields}")
        if not record.exc_info:
            return line
        trace = self.formatException(record.exc_info).split("\n")
        return "\n".join([line, *map(_escaped, trace)])


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)


def set_up_logging(*, level: str, style: str) -> None:
    """Print the project's records to standard error; the driver's only from warning on, because its
    own account of each lost connection says nothing that ours does not.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in ("coordinator", "consumers"):
        logging.getLogger(name).setLevel(level.upper())
    for name in ("aiormq", "aio_pika"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
