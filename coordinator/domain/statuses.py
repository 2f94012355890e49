"""The words for an agent's status and type, and which of them are accepted."""

from __future__ import annotations

from collections.abc import Iterable

from coordinator.errors import InvalidRequest

__all__ = [
    "ACTIVE",
    "AGENT_TYPES",
    "BUSY",
    "INACTIVE",
    "LIVE",
    "MAINTENANCE",
    "STALE",
    "STATUSES",
    "check_agent_type",
    "check_status",
]

ACTIVE = "active"
"""Heard of, with a free slot."""
INACTIVE = "inactive"
"""It said goodbye, or somebody declared it so."""
BUSY = "busy"
"""All its slots are taken."""
STALE = "stale"
"""Silent for longer than `stale_after`, whatever was declared."""
MAINTENANCE = "maintenance"
"""A person works on it; outlives a restart of the agent."""

STATUSES = (ACTIVE, INACTIVE, BUSY, STALE, MAINTENANCE, "error", "degraded", "draining")
"""Every status that may be declared, and that discovery tells."""

LIVE = (ACTIVE, BUSY)
"""The statuses of `active_agents`."""

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
"""The types that need no setting; `extra_agent_types` adds to them."""


def check_status(status: str) -> str:
    """Return ``status`` if it is one. Raises `InvalidRequest`."""
    if status not in STATUSES:
        raise InvalidRequest(
            f"Invalid status: {status}. It must be one of {', '.join(STATUSES)}", field="status"
        )
    return status


def check_agent_type(agent_type: str, accepted: Iterable[str] = AGENT_TYPES) -> str:
    """Return ``agent_type`` if it is ``accepted``. Raises `InvalidRequest`."""
    accepted = tuple(accepted)
    if agent_type not in accepted:
        raise InvalidRequest(
            f"Invalid agent type: {agent_type}. It must be one of {', '.join(accepted)}",
            field="agent_type",
        )
    return agent_type
