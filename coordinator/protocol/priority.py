"""Lists the five priorities of a task, most urgent first."""

from __future__ import annotations

from enum import StrEnum

from coordinator.errors import InvalidPriority

__all__ = ["Priority"]


class Priority(StrEnum):
    """How urgent a task is. Strict: while a higher one waits, an agent starts no lower one."""

    URGENT = "urgent"
    CRITICAL = "critical"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"

    @property
    def rank(self) -> int:
        """0 for `URGENT` to 4 for `LOW`: sort by it to have the most urgent first."""
        return _RANKS[self]

    @classmethod
    def parse(cls, value: object) -> Priority:
        """Read a priority in any letter case; None means `NORMAL`. Raises `InvalidPriority`."""
        if value is None:
            return cls.NORMAL
        if not isinstance(value, str):
            raise InvalidPriority(value)
        if value in _BY_WORD:
            return _BY_WORD[value]
        try:
            return cls(value.strip().lower())
        except ValueError:
            raise InvalidPriority(value) from None


_BY_WORD = {priority.value: priority for priority in Priority}
_RANKS = {priority: rank for rank, priority in enumerate(Priority)}
