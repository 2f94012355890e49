"""Agents that were silent for very long are taken out of the registry."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import NoReturn

from coordinator.errors import AgentNotFound, Unavailable
from coordinator.registry.agents.in_memory.live_agents import LiveAgents

from .registrar import Registrar

__all__ = ["REMOVE_AFTER", "SilentAgentRemoval"]

logger = logging.getLogger(__name__)

REMOVE_AFTER = timedelta(hours=1)

LOOK_SECONDS = 1.0
"""Between two looks at the clock: see `domain.hearing_clock.LONGEST_STEP`."""

SILENT = "silent"
"""The `reason` of the removal."""


class SilentAgentRemoval:
    """Watches the fleet for silence."""

    def __init__(
        self,
        *,
        agents: LiveAgents,
        registrar: Registrar,
        remove_after: timedelta = REMOVE_AFTER,
    ) -> None:
        self._agents = agents
        self._registrar = registrar
        self._remove_after = remove_after

    async def run(self) -> NoReturn:
        """Ends only by cancellation."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.remove()

    async def remove(self) -> None:
        """Remove those that are silent for too long; while the broker is away, none."""
        for agent_id in self._agents.silent_for(self._remove_after):
            try:
                await self._registrar.remove(agent_id, reason=SILENT, silent=True)
                logger.info("removed a silent agent", extra={"agent": agent_id})
            except AgentNotFound:
                continue
            except Unavailable as exc:
                logger.info("a silent agent stays for now", extra={"why": str(exc)})
                return
