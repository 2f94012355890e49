"""Holds what an inspection found in a ledger: its size, what is overdue, parked, wrong or stuck in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from coordinator.protocol.requirements import Profile, Requirements
from coordinator.protocol.task_queue import TaskQueue

from .undeliverable_queues import UndeliverableQueue

__all__ = [
    "CallbackTrouble",
    "FailingSchedules",
    "KnownUsers",
    "LedgerFacts",
    "LedgerState",
    "ParkingSummary",
    "UndeliverableQueue",
    "WrongClock",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkingSummary:
    """Sums up the messages that could not be taken as events."""

    count: int = 0
    latest: str = ""
    """The reason of the latest."""
    latest_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongClock:
    """Names an agent whose clock is not its coordinator's."""

    agent_id: str
    ahead: timedelta
    """Negative where it is behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingSchedules:
    """Counts recurring schedules whose last tick was not run."""

    count: int = 0
    first: str = ""
    """The id of one of them."""
    why: str = ""
    """What it says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackTrouble:
    """Counts callbacks that were not delivered."""

    dead: int = 0
    why: str = ""
    """What the one that died last says."""
    overdue: int = 0
    """Pending ones that should have been tried."""
    overdue_for: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownUsers:
    """Tells whose users of the broker there are to be: of registered agents, and those that were entered."""

    agents: tuple[Profile, ...] = ()
    """The agents that are registered, by id, as they described themselves."""
    entered: tuple[tuple[str, str], ...] = ()
    """Each user that was entered, with the id of an agent, or `broker_users.COORDINATOR`; sorted."""
    lanes: Mapping[str, Requirements] = field(default_factory=dict)
    """What the tasks of each open lane ask of an agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerState:
    """Tells what a ledger holds; only the version and the sizes where its version is another."""

    schema_version: int
    size: int
    """Bytes, with the write-ahead log."""
    free: int | None = None
    """Bytes left on the disk of an SQLite file."""
    ledger_id: str | None = None
    """None where no coordinator of this version has opened it yet."""
    parking: ParkingSummary = ParkingSummary()
    overdue: int = 0
    """Attempts that should have been published."""
    overdue_for: timedelta = timedelta(0)
    folded_until: datetime | None = None
    """When the latest event that was folded was stated."""
    task_queues: tuple[TaskQueue, ...] | None = None
    """Those that are open; None where the version is another."""
    wrong_clocks: tuple[WrongClock, ...] = ()
    """Of agents that were heard lately, by more than `SKEW_BOUND`; the most wrong first."""
    unreadable_task_queues: int = 0
    """Rows of queues that nobody can read, and that are left out."""
    failing: FailingSchedules = FailingSchedules()
    callbacks: CallbackTrouble = CallbackTrouble()
    users: KnownUsers = KnownUsers()
    stuck: tuple[UndeliverableQueue, ...] = ()
    """Queues that the latest coordinator to read them could not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerFacts:
    """Describes a ledger, whether it can be read or not."""

    location: str
    """A file, or a database's address without its password."""
    is_file: bool = True
    state: LedgerState | None = None
    """None where there is no ledger yet, or there is trouble."""
    trouble: str | None = None
    """Why it could not be read."""
