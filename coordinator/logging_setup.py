"""Logging: constant sentences with fields, for people or for collectors."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime

from coordinator.log_lines import JsonFormatter, fields_of, printable, tell_exceptions

__all__ = ["TextFormatter", "set_up_logging"]


class TextFormatter(logging.Formatter):
    """``12:30:59 WARNING registry: lost the connection  connection=…``"""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).astimezone().strftime("%H:%M:%S")
        fields = "".join(f"  {key}={value}" for key, value in fields_of(record).items())
        name = record.name.removeprefix("coordinator.")
        line = printable(f"{time} {record.levelname:<7} {name}: {record.getMessage()}{fields}")
        if not record.exc_info:
            return line
        trace = self.formatException(record.exc_info).split("\n")
        return "\n".join([line, *map(printable, trace)])


def set_up_logging(*, level: str, style: str) -> None:
    """Print the project's records to standard error; the driver's only from warning on, because its
    own account of each lost connection says nothing that ours does not.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    if style == "json":
        tell_exceptions("coordinator")
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in ("coordinator", "consumers"):
        logging.getLogger(name).setLevel(level.upper())
    for name in ("aiormq", "aio_pika"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
