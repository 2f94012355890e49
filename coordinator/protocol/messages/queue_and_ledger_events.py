"""Defines the events that coordinators alone state: task queues opened and retired, marks of the ledger."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from coordinator.protocol.priority import Priority

from .event import EventData

__all__ = [
    "LedgerCaughtUp",
    "LedgerEnded",
    "LedgerFollowed",
    "LedgerGrew",
    "LedgerHindered",
    "LedgerMarked",
    "LiveMarked",
    "SourceOpened",
    "SourceRetired",
]


class SourceOpened(EventData):
    """A queue of tasks was declared and bound."""

    TYPE = "source.opened"
    lane: str
    priority: Priority
    requirements: dict[str, Any] = Field(default_factory=dict)
    opened_by: str | None = None
    """Whose task opened the lane, where the API asks for credentials: `key:<name>` or `jwt:<subject>`. None
    where the lane was open before at another priority."""

    @property
    def subject(self) -> str:
        return f"{self.lane}.{self.priority}"


class SourceRetired(EventData):
    """A queue of tasks that nobody used is given up: whoever needs it opens it again."""

    TYPE = "source.retired"
    lane: str
    priority: Priority

    @property
    def subject(self) -> str:
        return f"{self.lane}.{self.priority}"


class LedgerMarked(EventData):
    """A coordinator put a mark into the log, to learn when everything before it is in the ledger;
    it is never stored.
    """

    TYPE = "ledger.marked"


class LiveMarked(EventData):
    """A coordinator marked how far it has heard what is said about agents. Not durable."""

    TYPE = "live.marked"


class LedgerCaughtUp(EventData):
    """The ledger has everything that was in the log before these marks. Not durable."""

    TYPE = "ledger.caught-up"
    marks: list[str]
    """The ids of the `ledger.marked` events."""


class LedgerEnded(EventData):
    """The ledger has an end, or a failed attempt, of these tasks. Not durable."""

    TYPE = "ledger.ended"
    tasks: list[str]
    """Their ids; where it is empty, any task may have ended."""


class LedgerFollowed(EventData):
    """A coordinator process has subscribers of events, and wants to be told when the ledger grows; it asks
    again while it has some. Not durable.
    """

    TYPE = "ledger.followed"
    process: str


class LedgerGrew(EventData):
    """The ledger has events that it did not have before. Not durable."""

    TYPE = "ledger.grew"


class LedgerHindered(EventData):
    """The process that folds the log tells what keeps it from that, and again while it lasts. Not
    durable.
    """

    TYPE = "ledger.hindered"
    problems: list[str]
    """A sentence each; empty where all is well again."""
