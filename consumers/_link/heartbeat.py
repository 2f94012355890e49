"""The agent's pulse: its whole state, every few seconds, and soon after something changed."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NoReturn

from consumers._fetching.served_queues import ServedQueues
from consumers._working.task_executor import TaskExecutor
from coordinator.broker.publisher import Publisher
from coordinator.errors import MessageTooLarge, Unavailable
from coordinator.protocol.messages.event_codec import encode, routing_key
from coordinator.protocol.messages.events import AgentHeartbeat, Event
from coordinator.protocol.topology import EVENTS

from .load_metrics import LoadMetrics

__all__ = ["Heartbeat"]

logger = logging.getLogger(__name__)

SPACING = 1.0
"""Seconds between two beats at least, however much changes."""

SHARES = 3
"""After each such share of the interval it is asked whether the agent became busy or free."""


class Heartbeat:
    """``condition`` says what the agent is at the moment of a beat: `active`, `draining`, or
    `degraded` where it cannot take tasks although it should; ``problems`` why, for people.
    """

    def __init__(
        self,
        publisher: Publisher,
        executor: TaskExecutor,
        sources: ServedQueues,
        *,
        agent_id: str,
        instance: str,
        condition: Callable[[], str],
        problems: Callable[[], list[str]],
    ) -> None:
        self._publisher = publisher
        self._executor = executor
        self._sources = sources
        self._agent_id = agent_id
        self._instance = instance
        self._condition = condition
        self._problems = problems
        self._load = LoadMetrics()
        self._sequence = 0
        self._started_at = datetime.now(UTC)
        self._soon = asyncio.Event()
        self._told_busy = False
        self.interval = timedelta(seconds=10)

    def beat_soon(self) -> None:
        """Something changed that others should see before the next regular beat."""
        self._soon.set()

    async def run(self) -> NoReturn:
        await self._changed_within(SPACING)  # the first one tells of an agent that is ready
        while True:
            self._soon.clear()
            await self._publisher.ready()
            await self.beat()
            await asyncio.sleep(SPACING)
            share = self.interval.total_seconds() * random.uniform(0.8, 1.0) / SHARES
            for _ in range(SHARES):
                await self._changed_within(share)
                if self._soon.is_set() or self._told_busy != self._executor.full:
                    break

    async def _changed_within(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._soon.wait()
        except TimeoutError:
            return

    async def beat(self) -> None:
        """One beat, now; a beat that cannot be sent is not worth keeping."""
        event = Event(data=self.state())
        try:
            await self._publisher.publish(
                encode(event, persistent=False), exchange=EVENTS, key=routing_key(event.data)
            )
        except (MessageTooLarge, Unavailable) as exc:
            logger.debug("a heartbeat was not sent", extra={"why": str(exc)})

    def state(self) -> AgentHeartbeat:
        self._sequence += 1
        self._told_busy = self._executor.full
        running = self._executor.running()
        return AgentHeartbeat(
            agent_id=self._agent_id,
            instance=self._instance,
            sequence=self._sequence,
            status=self._condition(),
            problems=self._problems() or None,
            slots=self._executor.slots,
            running=running,
            held=self._executor.held(),
            completed=self._executor.completed,
            failed=self._executor.failed,
            sources_hash=self._sources.hash,
            load_metrics={
                "active_connections": 2.0,
                "pending_tasks": float(len(running) + self._executor.backlog),
                "abandoned_handlers": float(self._executor.given_up),
                **self._load.read(),
            },
            started_at=self._started_at,
            host=socket.gethostname(),
            pid=os.getpid(),
            sdk="python",
        )
