"""Asks the broker whether agents have a control queue, where nothing else proves it.

A command that agents ignore is published so that it must be routed. Where no queue takes it, the agent
is not on the broker, and takes no tasks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import NoReturn

from coordinator.broker.ports import PublishesMessages
from coordinator.errors import OperatorError, PublishRefused, Unavailable
from coordinator.protocol.messages.agent_commands import Probe, agent_key, encode_command
from coordinator.protocol.topology import CONTROL

from .in_memory.live_agents import LiveAgents

__all__ = ["ControlQueueProbe"]

LOOK_EVERY = timedelta(seconds=1)
"""Between two looks for agents that are to be asked for; a new one is asked for at the next."""

ASK_AGAIN_AFTER = timedelta(seconds=10)
"""After which the broker is asked for the same agent again: it may have opened its queue, or lost it."""

MOST_AT_ONCE = 200
"""Agents that are asked for in one look: a large fleet that speaks HTTP alone is gone through in turns."""


class ControlQueueProbe:
    """Asks for those that speak HTTP alone, again and again: they may open their queue, or lose it."""

    def __init__(
        self,
        *,
        agents: LiveAgents,
        publisher: PublishesMessages,
        ready: Callable[[], bool],
        look_every: timedelta = LOOK_EVERY,
        monotonic: Callable[[], float] = time.monotonic,
        again_after: timedelta = ASK_AGAIN_AFTER,
    ) -> None:
        """``ready`` tells whether the broker can be asked now; ``monotonic`` tells seconds, from any
        start.
        """
        self._agents = agents
        self._publisher = publisher
        self._ready = ready
        self._look_every = look_every.total_seconds()
        self._monotonic = monotonic
        self._again_after = again_after

    async def run(self) -> NoReturn:
        """Ends only by cancellation."""
        while True:
            if self._ready():
                await self.look()
            await asyncio.sleep(self._look_every)

    async def look(self) -> None:
        """Ask for those that are due now."""
        due = self._agents.unproven(
            self._monotonic(), again_after=self._again_after, most=MOST_AT_ONCE
        )
        await asyncio.gather(*(self.ask(agent_id) for agent_id in due))

    async def ask(self, agent_id: str) -> bool | None:
        """Whether the agent has a control queue, noted where nothing newer proves it; None where the
        broker cannot tell now.
        """
        try:
            await self._publisher.publish(
                encode_command(Probe()), exchange=CONTROL, key=agent_key(agent_id), mandatory=True
            )
        except PublishRefused as exc:
            if isinstance(exc.__cause__, OperatorError):  # a permission that is missing
                return None
            present = False
        except Unavailable:
            return None
        else:
            present = True
        self._agents.probed(agent_id, present=present)
        return present
