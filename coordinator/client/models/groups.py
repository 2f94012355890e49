"""Describes groups of tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Group", "GroupCancelled", "GroupWaited"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Counts the tasks that belong together."""

    group_id: str
    total: int = 0
    ended: int = 0
    """In whatever way."""
    progress: float = 0.0
    """Which part has ended: 0 to 1."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Tasks by state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupWaited:
    """Is a group once it was waited for."""

    reached: bool
    """Whether what was waited for is so; False where the time was over first."""
    group: Group


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupCancelled:
    """Counts the tasks of a group that were ended."""

    group_id: str
    cancelled: int = 0
    was: Mapping[str, int] = field(default_factory=dict)
    """The states that these were in."""
    left: int = 0
    """Tasks that match and go on: repeat the call while there are some."""
    group: Group
    """How it stands after that."""
