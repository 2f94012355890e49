"""Matches a task's requirements with an agent's profile."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

__all__ = ["ANY_TYPE", "NO_REQUIREMENTS", "Profile", "Requirements"]

ANY_TYPE = "any"
"""Among the `task_types` of an agent: it takes tasks without a type, and those of a type that no agent
has announced."""


def _canonical(values: Iterable[str]) -> tuple[str, ...]:
    if values == ():
        return ()
    return tuple(sorted(set(values)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """Requirements of a task that an agent must meet to do it; empty means that any agent may.

    Canonical: capabilities and services are sorted and without duplicates, so that equal
    requirements are equal values and have one lane.
    """

    agent_type: str | None = None
    capabilities: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    agent_id: str | None = None
    task_type: str | None = None
    """The handler that is needed, of a type that some agent has announced; None asks for an agent that
    takes tasks without a type."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "capabilities", _canonical(self.capabilities))
        object.__setattr__(self, "services", _canonical(self.services))

    @property
    def empty(self) -> bool:
        return not (
            self.agent_type or self.capabilities or self.services or self.agent_id or self.task_type
        )

    @property
    def asked(self) -> Requirements:
        """What the producer named: all but the type, which the task itself tells."""
        return self if self.task_type is None else replace(self, task_type=None)

    def as_dict(self) -> dict[str, Any]:
        """The JSON form: only what is asked for is in it."""
        out: dict[str, Any] = {}
        if self.agent_type:
            out["agent_type"] = self.agent_type
        if self.capabilities:
            out["capabilities"] = list(self.capabilities)
        if self.services:
            out["services"] = list(self.services)
        if self.agent_id:
            out["agent_id"] = self.agent_id
        if self.task_type:
            out["task_type"] = self.task_type
        return out

    @classmethod
    def from_dict(cls, data: dict[str, Any] | None) -> Requirements:
        """Read the JSON form, which was validated where it entered; unknown keys are ignored."""
        if not data:
            return NO_REQUIREMENTS
        return cls(
            agent_type=data.get("agent_type") or None,
            capabilities=tuple(data.get("capabilities") or ()),
            services=tuple(data.get("services") or ()),
            agent_id=data.get("agent_id") or None,
            task_type=data.get("task_type") or None,
        )


NO_REQUIREMENTS = Requirements()


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """An agent's id, type and abilities: all that matching looks at."""

    agent_id: str
    agent_type: str
    capabilities: frozenset[str] = field(default_factory=frozenset)
    services: frozenset[str] = field(default_factory=frozenset)
    task_types: frozenset[str] | None = None
    """The types of tasks that it has handlers for, with `ANY_TYPE` for a default handler; None where it
    announced none: it does all."""

    def satisfies(self, wanted: Requirements) -> bool:
        """Whether this agent may do a task with these requirements."""
        return (
            self.does(wanted.task_type)
            and (wanted.agent_type is None or wanted.agent_type == self.agent_type)
            and (wanted.agent_id is None or wanted.agent_id == self.agent_id)
            and self.capabilities.issuperset(wanted.capabilities)
            and self.services.issuperset(wanted.services)
        )

    def does(self, task_type: str | None) -> bool:
        """Whether it has a handler for this type; of None, for tasks without one."""
        return self.task_types is None or (task_type or ANY_TYPE) in self.task_types
