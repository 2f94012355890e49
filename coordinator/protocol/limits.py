"""Sizes that both sides agree on. Limits that an operator may change are in `settings`."""

from __future__ import annotations

__all__ = ["MAX_ID", "check_id", "printable"]

from coordinator.errors import InvalidRequest

MAX_ID = 128
"""Characters in the id of a task or an agent, and in the name of a capability or a service."""


def printable(value: str) -> bool:
    """Whether every character is one that a person can see (a space counts)."""
    return value.isprintable()


def check_id(value: object, what: str, *, field: str) -> str:
    """Return ``value`` if it is 1 to `MAX_ID` printable characters. Raises `InvalidRequest`."""
    if not isinstance(value, str):
        raise InvalidRequest(f"{what} must be a string", field=field)
    if not 1 <= len(value) <= MAX_ID:
        raise InvalidRequest(f"{what} must have 1 to {MAX_ID} characters", field=field)
    if not printable(value) or value.isspace():
        raise InvalidRequest(f"{what} must consist of printable characters", field=field)
    return value
