"""Writes who did what: one JSON object a line, by the logger `coordinator.audit`, which is a stream of
its own.

A line has `time`, `actor`, `address`, `action` (the endpoint's name), `status`, and what it was done
to. Lines are written together, five times a second: one by one they would cost a submission more than
its authentication does. A process that is killed loses the lines of that time. What was done is in the
events of the tasks, too.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from pydantic_core import to_json

from coordinator.errors import OperatorError

__all__ = ["AuditLog", "AuditStream"]

NAME = "coordinator.audit"

WRITE_EVERY = 0.2
"""Seconds."""

MOST_WAITING = 10_000
"""Lines; as many are written at once."""


class AuditLog:
    """Makes a record of the logger for each request that acted, or was refused."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._logger = logging.getLogger(NAME)
        self._now = now

    def note(
        self, action: str, *, actor: str | None, address: str | None, status: int, **facts: Any
    ) -> None:
        """``action`` is the name of the endpoint; ``facts`` say to what, those that are None excepted."""
        line = {
            "time": self._now(),
            "actor": actor,
            "address": address,
            "action": action,
            "status": status,
        }
        line |= {name: fact for name, fact in facts.items() if fact is not None}
        text = to_json(line, inf_nan_mode="null").decode()
        # Without looking for who calls, which takes longer than all the rest.
        self._logger.handle(logging.LogRecord(NAME, logging.INFO, "", 0, text, None, None))


class AuditStream(logging.Handler):
    """Writes the lines to a file, or to standard error without one; `install` puts it in the place of
    others.
    """

    def __init__(self, path: Path | None, *, write_every: float = WRITE_EVERY) -> None:
        """Raises `OperatorError` where the file cannot be written."""
        super().__init__()
        self._write_every = write_every
        self._waiting: list[str] = []
        self._due: asyncio.TimerHandle | None = None
        self._stream: TextIO | None = None
        if path is not None:
            try:
                self._stream = path.open("a", encoding="utf-8")
                path.chmod(0o600)
            except OSError as exc:
                raise OperatorError(
                    f"COORDINATOR_AUDIT_LOG names {path}, which cannot be written: {exc.strerror}"
                ) from exc

    def install(self) -> None:
        """Lines go here, and to no other log."""
        logger = logging.getLogger(NAME)
        for before in list(logger.handlers):
            logger.removeHandler(before)
            before.close()
        logger.addHandler(self)
        logger.setLevel(logging.INFO)
        logger.propagate = False

    def emit(self, record: logging.LogRecord) -> None:
        self._waiting.append(record.getMessage())
        if len(self._waiting) >= MOST_WAITING:
            self.flush()
        elif self._due is None:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                self.flush()
            else:
                self._due = loop.call_later(self._write_every, self.flush)

    def flush(self) -> None:
        """Write what waits."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        lines, self._waiting = self._waiting, []
        if lines:
            stream = self._stream or sys.stderr
            try:
                stream.write("\n".join([*lines, ""]))
                stream.flush()
            except (
                OSError,
                ValueError,
            ):  # a full disk, or a stream that is closed, ends no request
                logging.getLogger(__name__).exception("lines of the audit log are lost")

    def close(self) -> None:
        self.flush()
        if self._stream is not None:
            self._stream.close()
        super().close()
