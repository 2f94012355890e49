"""Makes the fields that every log line about a task carries."""

from __future__ import annotations

__all__ = ["task_context"]


def task_context(
    *, task_id: str, attempt: int, agent_id: str | None, task_type: str | None = None
) -> dict[str, object]:
    """The ``extra`` of a log record about one attempt; add fields of your own with ``|``."""
    return {
        "task_id": task_id,
        "task_type": task_type,
        "attempt": attempt,
        "agent_id": agent_id,
    }
