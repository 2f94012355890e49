"""Names a task queue: the lane and the priority, with its queue and its routing key on RabbitMQ.

On the wire and in the ledger's tables a task queue is called a *source*.
"""

from __future__ import annotations

from dataclasses import dataclass

from .priority import Priority

__all__ = ["TaskQueue"]


@dataclass(frozen=True, slots=True)
class TaskQueue:
    """A queue of tasks on the broker: one lane at one priority."""

    lane: str
    priority: Priority

    @property
    def queue(self) -> str:
        """The queue's name on the broker."""
        return f"tasks.{self.lane}.{self.priority}"

    @property
    def key(self) -> str:
        """The routing key that leads to the queue."""
        return f"{self.lane}.{self.priority}"

    @classmethod
    def from_key(cls, key: str) -> TaskQueue:
        """Read a task's routing key. Raises `ValueError` for anything else."""
        lane, _, priority = key.rpartition(".")
        if not lane:
            raise ValueError(f"not a task's routing key: {key!r}")
        return cls(lane, Priority(priority))
