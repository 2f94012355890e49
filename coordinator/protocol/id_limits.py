"""Limits the length and the characters of ids, alike for agents and coordinators. Limits that an operator
may change are in `settings`.
"""

from __future__ import annotations

__all__ = [
    "AGENT_WORDS",
    "MAX_ID",
    "MAX_TAG",
    "MOST_TAGS",
    "TASK_WORDS",
    "check_id",
    "check_path_id",
    "printable",
]

from coordinator.errors import InvalidRequest

MAX_ID = 128
"""Characters in the id of a task or an agent, and in the name of a capability or a service."""

MAX_TAG = 64
"""Characters in a tag of a task."""

MOST_TAGS = 16
"""Tags of one task."""

TASK_WORDS = frozenset({"dead", "queues", "status", "submit"})
"""Words that stand in paths where the id of a task does."""

AGENT_WORDS = frozenset({"discover", "register"})
"""And where that of an agent does."""


def printable(value: str) -> bool:
    """Whether every character is one that a person can see (a space counts)."""
    return value.isprintable()


def check_id(value: object, what: str, *, field: str, longest: int = MAX_ID) -> str:
    """Return ``value`` if it is 1 to ``longest`` printable characters. Raises `InvalidRequest`."""
    if not isinstance(value, str):
        raise InvalidRequest(f"{what} must be a string", field=field)
    if not 1 <= len(value) <= longest:
        raise InvalidRequest(f"{what} must have 1 to {longest} characters", field=field)
    if not printable(value) or value.isspace():
        raise InvalidRequest(f"{what} must consist of printable characters", field=field)
    return value


def check_path_id(
    value: object, what: str, *, field: str, words: frozenset[str] = frozenset()
) -> str:
    """As `check_id`, of what is one segment of a path over HTTP: clients take `.` and `..` out of paths, and
    a path with one of ``words`` is about something else. Raises `InvalidRequest`.
    """
    found = check_id(value, what, field=field)
    if found in (".", ".."):
        raise InvalidRequest(
            f"{what} may not be {found!r}: clients take it out of paths, so nobody could ask for it",
            field=field,
        )
    if found in words:
        raise InvalidRequest(
            f"{what} may not be {found!r}: that word has a path of its own here, so nobody could ask"
            " for it. Choose another",
            field=field,
        )
    return found
