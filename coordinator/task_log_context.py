"""Makes the fields that every log line about a task carries: task, attempt, agent and type."""

from __future__ import annotations

__all__ = ["task_context"]


def task_context(
    task_id: str,
    *,
    attempt: int | None = None,
    agent_id: str | None = None,
    task_type: str | None = None,
) -> dict[str, object]:
    """The ``extra`` of a log record about one task; add fields of the line with ``|``. What is None,
    because it is not known there, is left out.
    """
    fields: dict[str, object] = {"task": task_id}
    known = {"attempt": attempt, "agent": agent_id, "type": task_type}
    return fields | {name: value for name, value in known.items() if value is not None}
