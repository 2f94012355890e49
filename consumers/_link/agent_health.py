"""Judges whether an agent is `active`, `degraded` or `draining`."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from coordinator.broker.connection import Connection

from .._fetching.fetch_loop import FetchLoop
from .._fetching.served_queues import ServedQueues
from .._working.attempt import Attempt
from .._working.event_publisher import EventPublisher
from .._working.task_executor import TaskExecutor
from .control_queue import ControlQueue

__all__ = ["AgentHealth"]

NAMED = 5
"""Queues that one sentence names."""


class AgentHealth:
    """Judges truthfully: an agent that hears no commands, takes no tasks (from one of its queues) or
    cannot tell of them is not well. A fetch loop is stuck after ``stuck_after`` without a turn.
    """

    def __init__(
        self,
        connection: Connection,
        control: ControlQueue,
        event_publisher: EventPublisher[Attempt],
        executor: TaskExecutor,
        sources: ServedQueues,
        *,
        stuck_after: timedelta,
    ) -> None:
        self._connection = connection
        self._control = control
        self._event_publisher = event_publisher
        self._executor = executor
        self._sources = sources
        self._loop = asyncio.get_running_loop()
        self._stuck_after = stuck_after.total_seconds()
        self.fetching: FetchLoop | None = None
        """The loop of this connection; None while there is none."""
        self.draining = asyncio.Event()
        """Set once nothing more is to be taken."""

    def status(self) -> str:
        """`active`, `draining`, or `degraded` where it cannot take tasks although it should."""
        if self.draining.is_set():
            return "draining"
        fetching, slots = self.fetching, self._executor.slots
        if fetching is None or self._connection.link is None or not self._control.alive:
            return "degraded"
        refused = len(self._sources.refused)
        if self._connection.heads.problems() or (refused and refused == len(self._sources)):
            return "degraded"
        if self._event_publisher.held_up or slots.given_up >= slots.count:
            return "degraded"
        silence = self._loop.time() - fetching.last_turn
        return "active" if silence < self._stuck_after else "degraded"

    def problems(self) -> list[str]:
        """What somebody should put right, for people: the queues that the broker cannot deliver from, or that
        this user may not read.
        """
        found, refused = self._connection.heads.problems(), self._sources.refused
        if refused:
            named = ", ".join(refused[:NAMED])
            more = f" and {len(refused) - NAMED} more" if len(refused) > NAMED else ""
            found.append(
                f"The agent's user on the broker lacks the permission to read {named}{more}: left out until"
                " it is granted, as `coordinator agents add` does"
            )
        return found
