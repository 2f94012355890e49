"""Limits how long a database may keep a coordinator waiting, or a coordinator the others."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DatabaseTimeouts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseTimeouts:
    """Holds the limits, all of them in seconds."""

    lock: float = 5.0
    """How long a writer waits for another that holds what it needs: with SQLite the whole file."""
    connect: int = 5
    """How long a server may take to answer a new connection."""
    statement: int = 60
    """No statement here takes seconds; one that takes a minute will not end well."""
    stalled: int = 10
    """A coordinator that is suspended within a transaction holds up the others for this long."""
