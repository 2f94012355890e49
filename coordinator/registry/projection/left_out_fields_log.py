"""Logs fields of events that could not be read and were left out, once per agent and field."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from coordinator.protocol.json_values.lenient_reading import LeftOut

__all__ = ["LeftOutFieldsLog"]

logger = logging.getLogger(__name__)

MOST = 10_000
"""Pairs of an agent and a field that are remembered; beyond it they may be told again."""


class LeftOutFieldsLog:
    """Remembers what it has logged, for one reader, from one thread at a time."""

    def __init__(self) -> None:
        self._told: set[tuple[str, str]] = set()

    def tell(self, agent_id: str, left_out: Iterable[LeftOut]) -> None:
        """Log those of ``left_out`` that were not logged for this agent before."""
        for one in left_out:
            key = (agent_id, _shape(one.field))
            if key in self._told:
                continue
            if len(self._told) >= MOST:
                self._told.clear()
            self._told.add(key)
            logger.warning(
                "a field of an event cannot be read and was left out",
                extra={"agent_id": agent_id, "field": one.field, "why": one.why},
            )


def _shape(field: str) -> str:
    """The same for each item of a list, and for what stands in a table of the agent's own names."""
    head, *rest = field.split(".")
    return head if not rest else f"{head}.{rest[-1]}" if rest[0].isdigit() else f"{head}.*"
