"""Says which agents a page is asked for."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AgentFilter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFilter:
    """An agent must match all that is given. What is empty matches every agent."""

    statuses: frozenset[str] = frozenset()
    """One of these."""
    agent_types: frozenset[str] = frozenset()
    """One of these."""
    capabilities: frozenset[str] = frozenset()
    """All of these."""
    services: frozenset[str] = frozenset()
    """All of these."""
    task_type: str | None = None
    """Has a handler for it, or has announced no types; `requirements.ANY_TYPE` asks for a default one."""
    listening: bool | None = None
    """Whether it takes tasks from the broker."""
