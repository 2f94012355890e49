"""Picks what everybody may be told of an event out of its data as the ledger has it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import to_json

__all__ = ["TOLD_ELSEWHERE", "TOLD_OF_MESSAGES", "public_details"]

TOLD_ELSEWHERE = frozenset(
    {"task_id", "generation", "attempt", "agent_id", "task", "task_token", "result"}
)
"""Told beside the details, or not at all: the content and the result of a task are asked for by its id, and
its token is of who works on it."""

TOLD_OF_MESSAGES = frozenset(
    {
        "priority",
        "max_attempts",
        "timeout_seconds",
        "not_before",
        "expires_at",
        "republished",
        "submitted_by",
        "parent_id",
        "group",
        "tags",
        "redriven_by",
    }
)
"""What is told of a task's message."""


def public_details(data: Mapping[str, Any]) -> dict[str, Any]:
    """What this event says beyond who and which task it is about, as the task's timeline has it: of a
    submission what it asks for, of a result its size (`result_bytes`).
    """
    details = {name: value for name, value in data.items() if name not in TOLD_ELSEWHERE}
    task = data.get("task")
    if isinstance(task, dict):
        details |= {
            name: value
            for name, value in task.items()
            if name in TOLD_OF_MESSAGES and value is not None
        }
    if "result" in data:
        details["result_bytes"] = len(to_json(data["result"]))
    return details
