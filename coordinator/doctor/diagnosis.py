"""Diagnoses: runs every check on the facts, in the order in which their findings are told. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from coordinator.doctor.checks.access_checks import check_broker, check_permissions
from coordinator.doctor.checks.event_log_checks import (
    check_log,
    check_members,
    check_side_queues,
    check_stuck,
)
from coordinator.doctor.checks.finding import Finding
from coordinator.doctor.checks.ledger_checks import check_ledger
from coordinator.doctor.checks.ledger_claim_checks import check_claim
from coordinator.doctor.checks.node_checks import check_flags, check_nodes
from coordinator.doctor.checks.policy_checks import check_consumer_timeout, check_policies
from coordinator.doctor.checks.readable_amounts import names
from coordinator.doctor.checks.remedy_commands import RemedyCommands
from coordinator.doctor.checks.topology_checks import (
    check_bindings,
    check_silent,
    check_structure,
    check_unknown_queues,
)
from coordinator.doctor.checks.user_checks import USER_CHECKS
from coordinator.doctor.checks.version_checks import check_version
from coordinator.doctor.facts.fact_types import Facts

__all__ = ["check_settings", "diagnose", "diagnose_users", "no_broker_named"]


def diagnose(facts: Facts) -> list[Finding]:
    """The findings of all checks."""
    return [finding for check in CHECKS for finding in check(facts)]


def diagnose_users(facts: Facts) -> list[Finding]:
    """Those about the users of agents alone."""
    return [finding for check in USER_CHECKS for finding in check(facts)]


def no_broker_named(why: str) -> Finding:
    """The finding where there is no broker to look at; ``why`` is a sentence."""
    return Finding.problem(
        "broker",
        why,
        "run `coordinator up`, or name a broker with --amqp-url or COORDINATOR_AMQP_URL",
    )


def check_settings(unknown: Iterable[str], apart: str | None = None) -> Iterator[Finding]:
    """A warning for each variable that is no setting, and one for limits that each process counts by itself.
    ``unknown`` are sentences that name variables of the environment; ``apart`` is that of
    `settings.counted_apart`.
    """
    for sentence in unknown:
        yield Finding.warning("settings", sentence, "put its name right, or unset it")
    if apart is not None:
        yield Finding.warning(
            "rates",
            apart,
            "divide what a caller may have by the number of processes, or have a proxy before them count",
        )


def _check_management(facts: Facts) -> Iterator[Finding]:
    if isinstance(facts.management, str):
        if not isinstance(facts.broker, str):  # where nothing answers, once is enough
            yield Finding.warning(
                "management",
                f"The management API cannot be read ({facts.management}): alarms, feature flags,"
                " policies and bindings were not looked at",
                "name a file with its address, http://user:password@host:15672, in"
                " COORDINATOR_MANAGEMENT_URL_FILE, or run `rabbitmq-plugins enable rabbitmq_management`"
                " there",
            )
    elif facts.management.has_vhost is not False and (withheld := facts.management.withheld):
        yield Finding.warning(
            "management",
            f"The user {facts.address.management_login[0]} may not read, of the management API:"
            f" {names(withheld)}",
            RemedyCommands.of(facts).let_monitor(),
        )


def _check_ledger(facts: Facts) -> Iterator[Finding]:
    return check_ledger(facts.ledger)


CHECKS: tuple[Callable[[Facts], Iterable[Finding]], ...] = (
    check_broker,
    check_version,
    _check_management,
    check_nodes,
    check_flags,
    check_permissions,
    check_claim,
    *USER_CHECKS,
    check_structure,
    check_silent,
    check_bindings,
    check_unknown_queues,
    check_members,
    check_policies,
    check_consumer_timeout,
    check_log,
    check_stuck,
    check_side_queues,
    _check_ledger,
)
"""In the order in which they are told."""
