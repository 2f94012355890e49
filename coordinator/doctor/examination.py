"""Examines broker and ledger: gathers the facts, has them judged, and shows the findings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console

from coordinator.doctor.checks.finding import Finding, Level, worst
from coordinator.doctor.checks.ledger_checks import check_ledger
from coordinator.doctor.facts.amqp_facts import READER_WITHIN, ask_broker
from coordinator.doctor.facts.broker_location import BrokerLocation, locate_broker
from coordinator.doctor.facts.fact_types import Facts
from coordinator.doctor.facts.management_facts import TIMEOUT as MANAGEMENT_TIMEOUT
from coordinator.doctor.facts.management_facts import ask_management
from coordinator.errors import OperatorError
from coordinator.registry.ledger.ledger_inspection import examine
from coordinator.settings import Settings, counted_apart
from coordinator.submission.request_limits import RequestLimits

from .diagnosis import check_settings, diagnose, diagnose_users, no_broker_named
from .report import as_json, show

__all__ = ["Patience", "examined", "examined_users", "run", "told"]

WELL, ILL = 0, 1
"""Exit statuses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Says how long an examination waits for others. Seconds."""

    reader_within: float = READER_WITHIN
    """For a coordinator that has just started to read the log."""
    management_timeout: float = MANAGEMENT_TIMEOUT
    """For each answer of the management API."""


USUAL = Patience()


def run(
    settings: Settings,
    *,
    json: bool = False,
    unknown: Sequence[str] = (),
    patience: Patience = USUAL,
) -> int:
    """Examine, show the findings, and return the exit status: 1 where an operator must fix something.
    Warnings alone are 0. ``unknown`` tells of variables that look like settings and are none.
    """
    findings = asyncio.run(told(settings, unknown=unknown, patience=patience))
    console = Console(highlight=False)
    if json:
        console.out(as_json(findings), highlight=False)
    else:
        show(findings, console)
    return ILL if worst(findings) is Level.PROBLEM else WELL


async def told(
    settings: Settings, *, unknown: Sequence[str] = (), patience: Patience = USUAL
) -> list[Finding]:
    """All findings, those about the settings first. Raises nothing, as `examined`."""
    about_settings = check_settings(unknown, counted_apart(settings))
    return [*about_settings, *await examined(settings, patience)]


async def examined(
    settings: Settings,
    patience: Patience = USUAL,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> list[Finding]:
    """The findings about the broker and the ledger that ``settings`` name. Raises nothing: whatever cannot be
    reached is a finding.
    """
    at = now()
    ledger = await asyncio.to_thread(examine, settings.ledger_place, at)
    try:
        address = locate_broker(settings)
    except OperatorError as exc:
        return [no_broker_named(str(exc)), *check_ledger(ledger)]
    known = ledger.state.task_queues if ledger.state else None
    broker, management = await asyncio.gather(
        ask_broker(
            address.amqp_url,
            known or (),
            ledger_id=ledger.state.ledger_id if ledger.state else None,
            reader_within=patience.reader_within,
        ),
        ask_management(address, timeout=patience.management_timeout),
    )
    return diagnose(
        Facts(
            at=at,
            address=address,
            broker=broker,
            management=management,
            ledger=ledger,
            default_timeout=settings.default_timeout,
            longest_timeout=RequestLimits().max_timeout,
            require_identity=settings.require_identity,
        )
    )


async def examined_users(
    settings: Settings, address: BrokerLocation, *, timeout: float = MANAGEMENT_TIMEOUT
) -> list[Finding]:
    """Those about the users of agents alone, from the ledger and the management API. Raises nothing."""
    at = datetime.now(UTC)
    ledger = await asyncio.to_thread(examine, settings.ledger_place, at)
    facts = Facts(
        at=at,
        address=address,
        broker="it was not asked",
        management=await ask_management(address, timeout=timeout),
        ledger=ledger,
        default_timeout=settings.default_timeout,
        longest_timeout=RequestLimits().max_timeout,
        require_identity=settings.require_identity,
    )
    return diagnose_users(facts)
