"""Tasks, and what an agent says of them, for the registry's benchmarks."""

from __future__ import annotations

from datetime import UTC, datetime

from coordinator.protocol.messages.events import Event, TaskCompleted, TaskStarted, TaskSubmitted
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.priority import Priority
from coordinator.protocol.task_token import task_token

__all__ = ["completed", "started", "submitted", "task"]

AGENT = "agent-000001"


def task(number: int, *, secret: bytes = b"") -> TaskMessage:
    task_id = f"0192f0c0-0000-7000-8000-{number:012d}"
    return TaskMessage(
        task_id=task_id,
        task_data={"task_type": "word-count", "text": "x" * 120, "options": {"n": 1}},
        priority=Priority.NORMAL,
        submitted_at=datetime.now(UTC),
        task_token=task_token(secret, task_id, 1, 1),
    )


def submitted(one: TaskMessage) -> Event:
    """As the log tells of it."""
    data = TaskSubmitted(task_id=one.task_id, task=one)
    return Event(id=one.message_id, time=one.submitted_at, data=data)


def started(one: TaskMessage) -> Event:
    data = TaskStarted(task_id=one.task_id, agent_id=AGENT, instance="instance-1")
    return Event(id=f"started.{one.task_id}", data=data)


def completed(one: TaskMessage) -> Event:
    data = TaskCompleted(
        task_id=one.task_id,
        agent_id=AGENT,
        result={"words": 40, "longest": "x" * 20},
        duration_seconds=0.01,
        task_token=one.task_token,
    )
    return Event(id=f"completed.{one.task_id}", data=data)
