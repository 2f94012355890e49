"""Makes the fields that every log line about a task carries: task, attempt, agent, type and trace."""

from __future__ import annotations

__all__ = ["task_context"]


def task_context(
    task_id: str,
    *,
    attempt: int | None = None,
    agent_id: str | None = None,
    task_type: str | None = None,
    trace_id: str | None = None,
) -> dict[str, object]:
    """The ``extra`` of a log record about one task; add fields of the line with ``|``. What is None,
    because it is not known there, is left out. Agents name them alike.
    """
    fields: dict[str, object] = {"task_id": task_id}
    known = {
        "attempt": attempt,
        "agent_id": agent_id,
        "task_type": task_type,
        "trace_id": trace_id,
    }
    return fields | {name: value for name, value in known.items() if value is not None}
