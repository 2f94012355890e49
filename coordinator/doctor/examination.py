"""One visit: gather the facts, judge them, show the findings."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console

from coordinator.doctor.checks.finding import Finding, Level, worst
from coordinator.doctor.checks.ledger_checks import check_ledger
from coordinator.doctor.facts.amqp_facts import ask_broker
from coordinator.doctor.facts.broker_location import locate_broker
from coordinator.doctor.facts.fact_types import Facts
from coordinator.doctor.facts.management_facts import ask_management
from coordinator.errors import OperatorError
from coordinator.registry.ledger.ledger_inspection import examine
from coordinator.settings import Settings
from coordinator.submission.request_limits import RequestLimits

from .diagnosis import check_settings, diagnose, no_broker_named
from .report import as_json, show

__all__ = ["examined", "run"]

WELL, ILL = 0, 1


def run(settings: Settings, *, json: bool = False, unknown: Sequence[str] = ()) -> int:
    """The exit status: 1 where an operator must fix something. Warnings alone are 0. ``unknown`` tells
    of variables that look like settings and are none.
    """
    findings = [*check_settings(unknown), *asyncio.run(examined(settings))]
    console = Console(highlight=False)
    if json:
        console.out(as_json(findings), highlight=False)
    else:
        show(findings, console)
    return ILL if worst(findings) is Level.PROBLEM else WELL


async def examined(settings: Settings) -> list[Finding]:
    now = datetime.now(UTC)
    ledger = await asyncio.to_thread(examine, settings.ledger_place, now)
    try:
        address = locate_broker(settings)
    except OperatorError as exc:
        return [no_broker_named(str(exc)), *check_ledger(ledger)]
    known = ledger.state.task_queues if ledger.state else None
    broker, management = await asyncio.gather(
        ask_broker(address.amqp_url, known or ()), ask_management(address)
    )
    return diagnose(
        Facts(
            at=now,
            address=address,
            broker=broker,
            management=management,
            ledger=ledger,
            default_timeout=settings.default_timeout,
            longest_timeout=RequestLimits().max_timeout,
        )
    )
