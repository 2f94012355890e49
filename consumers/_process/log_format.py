"""Formats the log of an agent whose author has set up no logging, as the environment says.

Lines that are logged while a handler runs, by whatever code, carry the fields of its attempt.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextvars import ContextVar

from coordinator.environment import ENV_PREFIX, value_of
from coordinator.errors import OperatorError
from coordinator.log_lines import (
    LOG_FORMAT,
    JsonFormatter,
    fields_of,
    printable,
    tell_exceptions,
)

__all__ = ["ATTEMPT_FIELDS", "LEVELS", "log_to_standard_error"]

ATTEMPT_FIELDS: ContextVar[Callable[[], Mapping[str, object]] | None] = ContextVar(
    "ATTEMPT_FIELDS", default=None
)
"""Gives the fields of the attempt at which the code of this moment works, in its thread as well; None
outside of handlers."""

LOG_LEVEL = f"{ENV_PREFIX}LOG_LEVEL"
LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("text", "json")


class _Lines(logging.Formatter):
    """``2026-01-02 03:04:05,678 INFO    consumers._fetching.served_queues: serving a new queue  queue=…``"""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        fields = "".join(f"  {name}={value}" for name, value in fields_of(record).items())
        return super().formatMessage(record) + printable(
            fields
        )  # what producers chose is among them


class _WithAttempt(logging.Filter):
    """Lets every record through; fields that it has itself stay."""

    def filter(self, record: logging.LogRecord) -> bool:
        fields = ATTEMPT_FIELDS.get()
        if fields is not None:
            for name, value in fields().items():
                if not hasattr(record, name):
                    setattr(record, name, value)
        return True


def log_to_standard_error(asked: str | None = None) -> None:
    """Unless the root logger has a handler already: `COORDINATOR_LOG_LEVEL` and `_FORMAT` are for who has
    set up none, while a level that was ``asked`` for is the root logger's in any case. The driver tells
    only what is critical, since what it says of a lost connection is said by us too. Raises
    `OperatorError`.
    """
    level = asked or _chosen(LOG_LEVEL, LEVELS) or "info"
    style = _chosen(LOG_FORMAT, FORMATS)
    root = logging.getLogger()
    if root.handlers:
        if asked is not None:
            root.setLevel(asked.upper())
        return
    handler = logging.StreamHandler()
    handler.addFilter(_WithAttempt())
    if style == "json":
        handler.setFormatter(JsonFormatter())
        tell_exceptions("consumers")
    else:
        handler.setFormatter(_Lines("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name in ("aiormq", "aio_pika"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _chosen(variable: str, choices: tuple[str, ...]) -> str | None:
    told = value_of(variable)
    if told is None:
        return None
    word = told.strip().lower()
    word = _OTHER_WORDS.get(word, word)
    if word not in choices:
        raise OperatorError(f"{variable}={told!r} is not valid: give one of {', '.join(choices)}")
    return word


_OTHER_WORDS = {"warn": "warning"}
