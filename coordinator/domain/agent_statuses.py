"""Lists the types and the statuses of agents, and refuses other words."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from coordinator.errors import InvalidRequest

__all__ = ["AGENT_TYPES", "AgentStatus", "check_agent_type", "check_status"]

AGENT_TYPES = (
    "worker",
    "provider",
    "consumer",
    "general",
    "coordinator",
    "specialist",
    "monitor",
    "gateway",
    "orchestrator",
    "inference",
    "training",
    "processing",
)
"""What an agent may be; a setting adds others."""


class AgentStatus(StrEnum):
    """How an agent is."""

    ACTIVE = "active"  #: heard of, with a free slot
    BUSY = "busy"  #: every slot is taken, or it was declared so
    INACTIVE = "inactive"  #: it said goodbye, or was declared so
    STALE = "stale"  #: not heard of for longer than `stale_after`, without a goodbye
    MAINTENANCE = "maintenance"  #: declared
    ERROR = "error"  #: declared
    DEGRADED = "degraded"  #: it beats, and says itself that something is wrong
    DRAINING = "draining"  #: it finishes what it has and takes nothing more


def check_agent_type(value: str, extra: Iterable[str] = ()) -> str:
    """Raises `InvalidRequest` for a type that is neither built in nor in ``extra``."""
    known = (*AGENT_TYPES, *extra)
    if value not in known:
        raise InvalidRequest(
            f"agent_type {value!r} is not one of: {', '.join(known)}", field="agent_type"
        )
    return value


def check_status(value: str) -> AgentStatus:
    """Read a status in any letter case. Raises `InvalidRequest`."""
    try:
        return AgentStatus(value.strip().lower())
    except ValueError:
        known = ", ".join(AgentStatus)
        raise InvalidRequest(f"status {value!r} is not one of: {known}", field="status") from None
