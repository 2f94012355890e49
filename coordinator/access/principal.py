"""Describes a caller of the API: its name in records, its roles, the one agent that it may speak for."""

from __future__ import annotations

from dataclasses import dataclass

from .roles import Role

__all__ = ["ANYBODY", "LONGEST_ACTOR", "Principal"]

LONGEST_ACTOR = 200
"""Characters of a name in records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Carries who calls, as far as a credential proves it."""

    actor: str | None
    """`key:<name>`, or `jwt:<subject>`; stays the same when a key is rotated. None where nobody is asked."""
    roles: frozenset[Role]
    """With those that they imply."""
    agent_id: str | None = None
    """The only agent that it may register, beat and state the status of, by the role `agent`."""

    def has(self, role: Role) -> bool:
        return role in self.roles


ANYBODY = Principal(actor=None, roles=frozenset(Role))
"""Every caller where authentication is off."""
