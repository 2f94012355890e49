"""Checks that the broker belongs to the ledger that is looked at, and to no other. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from coordinator.doctor.facts.fact_types import Facts, ObjectVerdict
from coordinator.protocol.topology import LEDGER

from .finding import Finding

__all__ = ["check_claim"]

PUT_RIGHT = (
    "name its ledger with COORDINATOR_DATABASE_URL or COORDINATOR_DATA_DIR, or another broker or virtual"
    " host with COORDINATOR_AMQP_URL; where that ledger is gone for good, stop all coordinators and delete"
    f" the exchange {LEDGER}"
)


def check_claim(facts: Facts) -> Iterator[Finding]:
    """The broker names this ledger, or none where no coordinator has been connected to it."""
    broker, state = facts.broker, facts.ledger.state
    if isinstance(broker, str) or broker.claim is None:
        return
    if broker.claim.verdict is ObjectVerdict.DIFFERENT:
        own = state.ledger_id if state else None
        yield Finding.problem(
            "one-ledger",
            f"The broker at {facts.address.shown} belongs to another ledger than this one"
            f" ({own or 'which has no id yet'}): a coordinator takes no tasks for it",
            PUT_RIGHT,
        )
    elif broker.claim.verdict is ObjectVerdict.RIGHT:
        yield Finding.ok("one-ledger", "The broker belongs to this ledger")
