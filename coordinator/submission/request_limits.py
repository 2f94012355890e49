"""Checks the values of a request against limits, with a sentence for each refusal. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from coordinator.errors import InvalidRequest, PayloadTooLarge
from coordinator.protocol.id_limits import MAX_TAG, MOST_TAGS, check_id, check_path_id
from coordinator.protocol.json_values.json_limits import json_problem
from coordinator.protocol.requirements import NO_REQUIREMENTS, Requirements

__all__ = [
    "MAX_MESSAGE_BYTES",
    "RequestLimits",
    "check_data",
    "check_group",
    "check_message_size",
    "check_names",
    "check_requirements",
    "check_seconds",
    "check_tags",
    "check_timeout",
]

MAX_MESSAGE_BYTES = 15 * 1024 * 1024
"""RabbitMQ 4 closes the channel of whoever publishes more than 16 MiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLimits:
    """Holds the limits of one request; an operator may change some of them."""

    max_data_depth: int = 32
    """Levels of nesting in `task_data` and `metadata`; the object itself is the first."""
    max_data_values: int = 100_000
    """Values in `task_data` or `metadata`, at all levels together."""
    max_names: int = 32
    """Capabilities, and services, of one agent or one task."""
    max_timeout: timedelta = timedelta(days=7)
    """The longest `timeout_seconds`, and the longest pause before a retry."""
    max_delay: timedelta = timedelta(days=366)
    """How far ahead a task may be scheduled; a deadline may be twice as far."""
    default_max_attempts: int = 3
    """Attempts of a task that names no `max_attempts`."""


def check_data(data: dict[str, Any], field: str, limits: RequestLimits) -> None:
    """Refuse what is nested too deep, has too many values, or has numbers that JSON lacks."""
    problem = json_problem(data, max_depth=limits.max_data_depth, max_values=limits.max_data_values)
    if problem is not None:
        raise InvalidRequest(f"{field} {problem}", field=field)


def check_names(names: Sequence[str], field: str, *, at_most: int) -> None:
    """Refuse too many names, or one that is empty, too long or not printable."""
    if len(names) > at_most:
        raise InvalidRequest(f"{field} has {len(names)} entries; at most {at_most}", field=field)
    for name in names:
        check_id(name, f"Each of {field}", field=field)


def check_requirements(wanted: Requirements, limits: RequestLimits) -> None:
    """Refuse an id or a name that cannot be one, and too many of them. Raises `InvalidRequest`."""
    if wanted is NO_REQUIREMENTS:
        return
    for field, word in (
        ("requirements.agent_type", wanted.agent_type),
        ("requirements.agent_id", wanted.agent_id),
    ):
        if word is not None:
            check_id(word, field, field=field)
    check_names(wanted.capabilities, "requirements.capabilities", at_most=limits.max_names)
    check_names(wanted.services, "requirements.services", at_most=limits.max_names)


def check_group(group: str, field: str = "group") -> None:
    """Refuse what nobody could ask `GET /groups/{group_id}` for. Raises `InvalidRequest`."""
    check_path_id(group, field, field=field)


def check_tags(tags: Sequence[str], field: str = "tags") -> None:
    """Refuse more than `MOST_TAGS` tags, or one that is empty, too long or not printable."""
    if len(tags) > MOST_TAGS:
        raise InvalidRequest(f"{field} has {len(tags)} entries; at most {MOST_TAGS}", field=field)
    for tag in tags:
        check_id(tag, f"Each of {field}", field=field, longest=MAX_TAG)


def check_timeout(seconds: float | None, limits: RequestLimits) -> None:
    """Refuse a `timeout_seconds` that no attempt may have; None is the agents' default."""
    check_seconds(seconds, "timeout_seconds", limits.max_timeout)


def check_seconds(
    seconds: float | None, field: str, longest: timedelta, *, zero: bool = False
) -> None:
    """Refuse what is not more than 0 (or 0, with ``zero``), or more than ``longest``."""
    most = longest.total_seconds()
    if seconds is None or 0 < seconds <= most or (zero and seconds == 0):
        return
    least = "0 or more" if zero else "more than 0"
    raise InvalidRequest(f"{field} must be {least} and at most {most:.0f}", field=field)


def check_message_size(body: bytes) -> None:
    """Refuse what no broker takes. Raises `PayloadTooLarge`."""
    if len(body) > MAX_MESSAGE_BYTES:
        raise PayloadTooLarge(
            f"The task has {len(body)} bytes; the broker takes at most {MAX_MESSAGE_BYTES}"
        )
