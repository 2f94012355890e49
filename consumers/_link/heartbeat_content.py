"""Describes an agent as its heartbeats tell of it: status, slots, tasks in hand, load."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from datetime import datetime

from coordinator.protocol.messages.events import AgentHeartbeat

from .._fetching.served_queues import ServedQueues
from .._working.task_executor import TaskExecutor
from .agent_health import AgentHealth
from .load_metrics import LoadMetrics

__all__ = ["HeartbeatContent"]

MOST_UNREADABLE = 100
"""Queues that a heartbeat names which this agent may not read; an operator begins with the first."""


class HeartbeatContent:
    """Numbers its descriptions, so that a late one is known as such. ``wall`` is the agent's own clock."""

    def __init__(
        self,
        executor: TaskExecutor,
        sources: ServedQueues,
        health: AgentHealth,
        *,
        agent_id: str,
        instance: str,
        wall: Callable[[], datetime],
    ) -> None:
        self._executor = executor
        self._sources = sources
        self._health = health
        self._agent_id = agent_id
        self._instance = instance
        self._load = LoadMetrics()
        self._sequence = 0
        self._started_at = wall()

    def __call__(self) -> AgentHeartbeat:
        self._sequence += 1
        slots = self._executor.slots
        running, held = self._executor.described()
        return AgentHeartbeat(
            agent_id=self._agent_id,
            instance=self._instance,
            sequence=self._sequence,
            status=self._health.status(),
            problems=self._health.problems() or None,
            unreadable=self._sources.refused[:MOST_UNREADABLE] or None,
            slots=slots.count,
            running=running,
            held=held,
            completed=self._executor.completed,
            failed=self._executor.failed,
            sources_hash=self._sources.hash,
            load_metrics={
                "active_connections": 2.0,
                "pending_tasks": float(len(running) + len(self._executor.backlog)),
                "abandoned_handlers": float(slots.given_up),
                **self._load.read(),
            },
            started_at=self._started_at,
            host=socket.gethostname(),
            pid=os.getpid(),
            sdk="python",
        )
