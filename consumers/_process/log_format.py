"""Formats the log of an agent whose author has set up no logging: a sentence and its fields."""

from __future__ import annotations

import logging

__all__ = ["log_to_standard_error"]

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class _Lines(logging.Formatter):
    """``2026-01-02 03:04:05,678 INFO    consumers._fetching.served_queues: serving a new queue  queue=…``"""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        fields = "".join(
            f"  {name}={value}" for name, value in vars(record).items() if name not in _STANDARD
        )
        return super().formatMessage(record) + fields


def log_to_standard_error() -> None:
    """Unless the root logger has a handler already. The driver tells only what is critical, since
    what it says of a lost connection is said by us too.
    """
    root = logging.getLogger()
    if root.handlers:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    for name in ("aiormq", "aio_pika"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
