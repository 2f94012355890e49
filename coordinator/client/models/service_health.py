"""Describes the service itself, and the messages that it parked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

__all__ = ["Caller", "Finding", "Findings", "Health", "ParkedMessage", "ParkedMessages"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Tells how the service is."""

    status: str
    """`healthy` or `degraded`."""
    service: str
    version: str = ""
    problems: Sequence[str] | None = None
    """Sentences."""

    @property
    def healthy(self) -> bool:
        return self.status == "healthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Says one thing about the broker or the ledger, as `coordinator doctor` does."""

    level: str
    """`ok`, `warning` or `problem`."""
    check: str
    """What was looked at, as a word."""
    text: str
    """One sentence."""
    fix: str | None = None
    """What puts it right; None where nothing is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Is what an examination of the service has found."""

    level: str
    """The most serious of them."""
    findings: Sequence[Finding] = ()
    examined_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Is who calls, as the service knows it."""

    actor: str | None = None
    """`key:NAME` or `jwt:SUBJECT`; None where nobody is asked."""
    roles: Sequence[str] = ()
    """With those that they imply; all of them where nobody is asked."""
    agent_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedMessage:
    """Is a message of the log that could not be taken as an event."""

    position: int
    received_at: datetime | None = None
    reason: str = ""
    exchange: str = ""
    routing_key: str = ""
    author: str = ""
    size: int = 0
    sha256: str = ""
    body: str = ""
    encoding: str = "utf-8"
    properties: Mapping[str, Any] = field(default_factory=dict)
    """Not in lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedMessages:
    """Is one page of them."""

    parked: Sequence[ParkedMessage] = ()
    total: int = 0
    dropped: int = 0
    """Older ones that made room for others, ever."""
    next_cursor: str | None = None
