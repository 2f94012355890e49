"""Checks the ledger: reachable, of this version, with room to grow, and nothing lying about in it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from coordinator.domain.clock_skew import SKEW_BOUND
from coordinator.registry.ledger.inspection_results import (
    CallbackTrouble,
    FailingSchedules,
    LedgerFacts,
    LedgerState,
    ParkingSummary,
    WrongClock,
)
from coordinator.registry.tables.schema import SCHEMA_VERSION

from .finding import Finding
from .readable_amounts import count, names, size, span

__all__ = ["check_ledger"]

LOW_DISK = 1_000_000_000
FULL_DISK = 100_000_000
"""Bytes that are left beside an SQLite file."""
LONG_OVERDUE = timedelta(minutes=10)
"""For an attempt in the outbox; later it is a problem, and no warning."""
LONGEST_REASON = 200
"""Characters of a reason that are shown."""

LOOK = "`curl http://localhost:9001/parked`"
START = "start a coordinator: `coordinator up` or `coordinator serve`"


def check_ledger(ledger: LedgerFacts) -> Iterator[Finding]:
    """All that is to be said of the ledger; of one of another version, only that."""
    if ledger.trouble is not None:
        yield Finding.problem(
            "ledger",
            f"The ledger {ledger.location} cannot be read: {ledger.trouble}",
            "put it right, or name another with --data-dir or COORDINATOR_DATABASE_URL",
        )
    elif ledger.state is None:
        yield Finding.warning(
            "ledger",
            f"There is no ledger yet at {ledger.location}",
            f"{START}, which makes it; or name another with --data-dir or COORDINATOR_DATABASE_URL",
        )
    else:
        yield _version(ledger, ledger.state)
        yield from _disk(ledger, ledger.state)
        if ledger.state.schema_version == SCHEMA_VERSION:
            yield from _parked(ledger.state.parking)
            yield from _outbox(ledger.state)
            yield from _clocks(ledger.state)
            yield from _sources(ledger.state)
            yield from _schedules(ledger.state.failing)
            yield from _callbacks(ledger.state.callbacks)


def _version(ledger: LedgerFacts, state: LedgerState) -> Finding:
    told = f"The ledger {ledger.location} has schema {state.schema_version}"
    if state.schema_version > SCHEMA_VERSION:
        return Finding.problem(
            "ledger",
            f"{told}, of a newer version; this one knows {SCHEMA_VERSION}",
            "update this installation, or name another ledger with --data-dir",
        )
    if state.schema_version < SCHEMA_VERSION:
        return Finding.warning(
            "ledger",
            f"{told}; this version has {SCHEMA_VERSION}",
            f"back it up, then {START}, which brings it up to date",
        )
    return Finding.ok("ledger", f"{told}, and {size(state.size)}")


def _disk(ledger: LedgerFacts, state: LedgerState) -> Iterator[Finding]:
    if state.free is None or state.free >= LOW_DISK:
        return
    kind = Finding.problem if state.free < FULL_DISK else Finding.warning
    yield kind(
        "disk",
        f"{size(state.free)} are left on the disk of {ledger.location}",
        "free disk space, or move the data folder: COORDINATOR_DATA_DIR",
    )


def _parked(parking: ParkingSummary) -> Iterator[Finding]:
    if not parking.count:
        yield Finding.ok("parked", "Every message of the log could be read")
        return
    reason = " ".join(parking.latest.split())[:LONGEST_REASON]
    yield Finding.warning(
        "parked",
        f"{count(parking.count, 'message')} could not be read and"
        f" {'is' if parking.count == 1 else 'are'} parked; the latest: {reason}",
        f"look at them and at who sent them: {LOOK}",
    )


def _outbox(state: LedgerState) -> Iterator[Finding]:
    if not state.overdue:
        yield Finding.ok("outbox", "No retry and no scheduled task is overdue")
        return
    kind = Finding.problem if state.overdue_for > LONG_OVERDUE else Finding.warning
    yield kind(
        "outbox",
        f"{count(state.overdue, 'attempt is', 'attempts are')} overdue, the first for"
        f" {span(state.overdue_for)}",
        f"{START}; where one runs, its own log says why it cannot publish them",
    )


def _clocks(state: LedgerState) -> Iterator[Finding]:
    """Nothing is ordered by an agent's clock; what it tells is shown to people, and wrong."""
    wrong = state.wrong_clocks
    if not wrong:
        yield Finding.ok(
            "clocks", f"No agent's clock is known to be wrong by more than {span(SKEW_BOUND)}"
        )
        return
    yield Finding.warning(
        "clocks",
        f"The {'clock' if len(wrong) == 1 else 'clocks'} of {count(len(wrong), 'agent')}"
        f" {'differs' if len(wrong) == 1 else 'differ'} from the coordinator's by more than"
        f" {span(SKEW_BOUND)}: {names([_told(one) for one in wrong])}",
        "have their machines, and the coordinator's, set by NTP: `timedatectl` there says whether one"
        " is; where all agents differ alike, it is the coordinator's",
    )


def _told(one: WrongClock) -> str:
    return f"{one.agent_id} is {span(abs(one.ahead))} {'ahead' if one.ahead > _NONE else 'behind'}"


_NONE = timedelta()


def _sources(state: LedgerState) -> Iterator[Finding]:
    if state.unreadable_task_queues:
        yield Finding.warning(
            "ledger",
            f"{count(state.unreadable_task_queues, 'row')} of its table sources cannot be read and"
            f" {'is' if state.unreadable_task_queues == 1 else 'are'} left out",
            "make the table anew from the events: coordinator rebuild",
        )


def _schedules(failing: FailingSchedules) -> Iterator[Finding]:
    if not failing.count:
        yield Finding.ok("schedules", "Every schedule could run at its last tick")
        return
    why = " ".join(failing.why.split())[:LONGEST_REASON]
    yield Finding.warning(
        "schedules",
        f"{count(failing.count, 'schedule')} could not run at the last tick; the first,"
        f" {failing.first!r}: {why}",
        "look at `last_error`: `curl http://localhost:9001/schedules`; what cannot be run is deleted"
        " and made anew",
    )


def _callbacks(trouble: CallbackTrouble) -> Iterator[Finding]:
    if trouble.overdue:
        yield Finding.warning(
            "callbacks",
            f"{count(trouble.overdue, 'callback is', 'callbacks are')} overdue, the first for"
            f" {span(trouble.overdue_for)}",
            f"{START}, with COORDINATOR_CALLBACK_SECRETS_DIR; where one runs, its own log says why",
        )
    if trouble.dead:
        why = " ".join(trouble.why.split())[:LONGEST_REASON]
        yield Finding.warning(
            "callbacks",
            f"{count(trouble.dead, 'callback is', 'callbacks are')} dead; the latest: {why}",
            "look at them: `curl 'http://localhost:9001/callbacks?state=dead'`; `curl -X POST"
            " http://localhost:9001/callbacks/redrive` tries them again",
        )
    if not (trouble.overdue or trouble.dead):
        yield Finding.ok("callbacks", "No callback is dead or overdue")
