"""Makes the fields that every line of an agent's log about a task carries."""

from __future__ import annotations

from coordinator.protocol.trace_context import TraceContext

__all__ = ["task_context"]


def task_context(
    task_id: str,
    *,
    attempt: int,
    agent_id: str | None,
    task_type: str | None = None,
    trace: TraceContext | None = None,
) -> dict[str, object]:
    """The ``extra`` of a log record about one attempt; add fields of the line with ``|``. They are named as
    in `Task.log`, whose fields are an author's to rely on. `trace_id` is there where the task has a trace.
    """
    fields: dict[str, object] = {
        "task_id": task_id,
        "task_type": task_type,
        "attempt": attempt,
        "agent_id": agent_id,
    }
    return fields if trace is None else fields | {"trace_id": trace.trace_id}
