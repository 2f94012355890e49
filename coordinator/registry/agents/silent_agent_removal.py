"""Removes agents from the registry that were silent for very long."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import NoReturn

from coordinator.errors import AgentNotFound, Unavailable

from .in_memory.live_agents import LiveAgents
from .registrar import Registrar

__all__ = ["REMOVE_AFTER", "SilentAgentRemoval"]

logger = logging.getLogger(__name__)

REMOVE_AFTER = timedelta(hours=1)
"""Silence after which an agent is removed."""

LOOK_EVERY = timedelta(seconds=1)
"""Between two looks at the clock; less than `domain.hearing_clock.LONGEST_STEP`."""

SILENT = "silent"
"""The `reason` of the removal."""


class SilentAgentRemoval:
    """Looks at the clock of every agent now and then."""

    def __init__(
        self,
        *,
        agents: LiveAgents,
        registrar: Registrar,
        remove_after: timedelta = REMOVE_AFTER,
        look_every: timedelta = LOOK_EVERY,
    ) -> None:
        self._agents = agents
        self._registrar = registrar
        self._remove_after = remove_after
        self._look_every = look_every.total_seconds()

    async def run(self) -> NoReturn:
        """Remove those that are due, again and again; ends only by cancellation."""
        while True:
            await asyncio.sleep(self._look_every)
            await self.remove()

    async def remove(self) -> None:
        """Remove those that are silent for too long; while the broker is away, none."""
        for agent_id in self._agents.silent_for(self._remove_after):
            try:
                await self._registrar.remove(agent_id, reason=SILENT, silent=True)
                logger.info("removed a silent agent", extra={"agent_id": agent_id})
            except AgentNotFound:
                continue
            except Unavailable as exc:
                logger.info("a silent agent stays for now", extra={"why": str(exc)})
                return
