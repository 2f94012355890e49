"""Writes who did what: one JSON object a line, by the logger `coordinator.audit`, a stream of its own.

A line has `time`, `actor`, `address`, `action` (the endpoint's name), `status`, and what it was done
to. Lines are handed to the logger together, five times a second, as one record, and tasks that one caller
submitted in between are one line, with the `time` of the first: one by one they would cost a submission
more than its authentication does. A process that is killed loses the lines of that
time; what was done is in the events of the tasks, too.
"""

from __future__ import annotations

import asyncio
import logging
import os
import stat
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from pydantic_core import to_json

from coordinator.errors import OperatorError
from coordinator.private_file import PRIVATE_FILE

__all__ = ["AuditLog", "AuditStream"]

NAME = "coordinator.audit"

WRITE_EVERY = 0.2
"""Seconds."""

MOST_WAITING = 10_000
"""Lines; as many are written at once."""

MOST_TASKS = 1000
"""Tasks on one line, as many as a batch has."""


class AuditLog:
    """Collects a line for each request that acted, or was refused, and hands them to the logger."""

    def __init__(self, *, write_every: float = WRITE_EVERY) -> None:
        """``write_every``: seconds for which lines are collected."""
        self._write_every = write_every
        self._waiting: list[dict[str, Any]] = []
        self._submitted: dict[tuple[str | None, str | None], list[str]] = {}
        """The tasks on the line of each caller and address, which has room for more."""
        self._due: asyncio.TimerHandle | None = None

    def note(
        self,
        action: str,
        *,
        actor: str | None,
        address: str | None,
        status: int,
        facts: Mapping[str, Any],
    ) -> None:
        """``action`` is the name of the endpoint; ``facts`` say to what, those that are None excepted."""
        line = {
            "time": datetime.now(UTC),
            "actor": actor,
            "address": address,
            "action": action,
            "status": status,
        }
        line.update(facts)
        self._add(line)

    def note_submitted(self, task_id: str, *, actor: str | None, address: str | None) -> None:
        """A task was accepted by the endpoint `submit_task`."""
        tasks = self._submitted.get((actor, address))
        if tasks is not None and len(tasks) < MOST_TASKS:
            tasks.append(task_id)
            return
        tasks = self._submitted[actor, address] = [task_id]
        self.note(
            "submit_task", actor=actor, address=address, status=200, facts={"task_ids": tasks}
        )

    def _add(self, line: dict[str, Any]) -> None:
        self._waiting.append(line)
        if self._due is None:
            self._due = asyncio.get_running_loop().call_later(self._write_every, self.flush)
        elif len(self._waiting) >= MOST_WAITING:
            self.flush()

    def flush(self) -> None:
        """Hand over what was collected."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        lines, self._waiting = self._waiting, []
        self._submitted.clear()
        if lines:
            written = (to_json(_with_one_task(line), inf_nan_mode="null") for line in lines)
            text = "\n".join(_printable(line.decode()) for line in written)
            record = logging.LogRecord(NAME, logging.INFO, "", 0, text, None, None)
            logging.getLogger(NAME).handle(record)


def _with_one_task(line: dict[str, Any]) -> dict[str, Any]:
    """One task is its `task_id`, as in the lines of other requests about one."""
    if line["action"] == "submit_task" and len(line.get("task_ids", ())) == 1:
        line["task_id"] = line.pop("task_ids")[0]
    return line


def _printable(line: str) -> str:
    """With JSON's own escape for each character that a terminal might act on, or that some readers take for
    the end of a line: a path may be whatever somebody sent.
    """
    return line if line.isprintable() else "".join(map(_escaped, line))


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    units = character.encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


class AuditStream(logging.StreamHandler[TextIO]):
    """Writes the lines to a file, or to standard error without one; `install` puts it in the place of
    others.
    """

    def __init__(self, path: Path | None) -> None:
        """Raises `OperatorError` where the file cannot be written."""
        self._file: TextIO | None = None
        if path is not None:
            try:
                self._file = os.fdopen(_opened(path), "a", encoding="utf-8")
            except OSError as exc:
                raise OperatorError(
                    f"COORDINATOR_AUDIT_LOG names {path}, which cannot be written ({exc.strerror}): make its"
                    " folder, and let this user write there"
                ) from exc
        super().__init__(self._file or sys.stderr)

    def install(self) -> None:
        """Lines go here, and to no other log."""
        logger = logging.getLogger(NAME)
        for before in list(logger.handlers):
            logger.removeHandler(before)
            before.close()
        logger.addHandler(self)
        logger.setLevel(logging.INFO)
        logger.propagate = False

    def close(self) -> None:
        super().close()
        if self._file is not None:
            self._file.close()


def _opened(path: Path) -> int:
    """For this user alone, from the first moment, and where it is there with a wider mode; what is no file, a
    pipe say, stays as it is. Raises `OSError`.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.fchmod(descriptor, PRIVATE_FILE)
    return descriptor
