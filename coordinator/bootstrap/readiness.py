"""Decides whether tasks can be submitted, and says in sentences why not. Pure: it is given all facts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from coordinator.errors import OperatorError, OtherLedger

__all__ = ["ConnectionState", "can_submit", "obstacles", "submission_hindered"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionState:
    """Tells of one connection to the broker at one moment."""

    linked: bool
    """There is a link now."""
    blocked: bool
    """The broker has told it to stop publishing."""
    last_error: Exception | None
    """Why the latest attempt to connect failed; None while connected or before the first."""
    refused: OperatorError | None
    """What an operator must put right first."""


def can_submit(*, opened: bool, available: bool) -> bool:
    """``opened``: the queues are declared; ``available``: the publisher would send now."""
    return opened and available


def submission_hindered(connections: Iterable[ConnectionState]) -> bool:
    """Whether it is known why no task can be submitted: the broker is away, or refuses."""
    return any(
        one.refused is not None or (not one.linked and one.last_error is not None)
        for one in connections
    )


def obstacles(*, reading: ConnectionState, publishing: ConnectionState, ready: bool) -> list[str]:
    """What keeps tasks from being submitted now, a sentence each; ``ready`` is `can_submit`."""
    if not reading.linked or not publishing.linked:
        why = reading.last_error or publishing.last_error
        if isinstance(why, OtherLedger):
            return [str(why)]
        return [f"The broker cannot be reached: {why or 'not tried yet'}"]
    if publishing.blocked:
        return ["The broker is short of memory or disk and takes nothing now."]
    if ready:
        return []
    refused = reading.refused or publishing.refused
    if refused is None:
        return ["The queues on the broker are still being opened."]
    return [f"The queues on the broker cannot be opened: {refused}"]
