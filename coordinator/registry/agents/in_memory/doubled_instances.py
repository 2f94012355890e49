"""Notices two processes that send heartbeats in turn under one agent id."""

from __future__ import annotations

import logging

from .agent_silence import AgentSilence
from .known_agent import KnownAgent

__all__ = ["DoubledInstances"]

logger = logging.getLogger(__name__)


class DoubledInstances:
    """A restart is heard once; two processes are heard in turn."""

    def __init__(self, silence: AgentSilence) -> None:
        self._silence = silence

    def note(self, known: KnownAgent, last: str, now: str) -> None:
        """A heartbeat of the instance ``now`` follows one of ``last``."""
        if known.overtaken == now:
            if known.doubled is None:
                logger.warning(
                    "two processes use the same agent id: give one of them another",
                    extra={"agent_id": known.agent_id, "instances": f"{last} {now}"},
                )
            known.doubled = self._silence.now()
        known.overtaken = last

    def other(self, known: KnownAgent) -> str | None:
        """The second instance under this id, as long as it was heard lately; None where there is none."""
        if known.doubled is None:
            return None
        since = self._silence.now() - known.doubled
        return known.overtaken if since <= self._silence.stale_after.total_seconds() else None
