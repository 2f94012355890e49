"""Writes down each step of each execution, one line each, appended by one system call, so that no kill
takes back what was done. `executions.Record` reads it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Literal

from coordinator.protocol.messages.task_message import TaskMessage

__all__ = ["ExecutionLog"]

Step = Literal["began", "ended", "settled"]
"""`settled`: the broker has confirmed the outcome, or has nothing more to give back."""


class ExecutionLog:
    """Of one agent; all agents append to the same file."""

    def __init__(self, path: Path, agent_id: str) -> None:
        self._agent_id = agent_id
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, step: Step, task_id: str, attempt: int, number: int) -> None:
        """``number`` is of the wish."""
        who = f"{self._agent_id} {os.getpid()}"
        line = f"{time.time():.6f} {who} {step} {task_id} {attempt} {number}\n"
        os.write(self._file, line.encode())

    def write_of(self, step: Step, task: TaskMessage) -> None:
        self.write(step, task.task_id, task.attempt, task.task_data["number"])

    def close(self) -> None:
        os.close(self._file)
