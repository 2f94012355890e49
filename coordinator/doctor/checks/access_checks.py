"""Checks that the broker can be used: that it answers, its virtual host, the user's permissions. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from coordinator.doctor.facts.fact_types import NO_ANSWER, Facts, ManagementFacts, Permissions
from coordinator.protocol.priority import Priority
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.topology import TOPOLOGY

from .finding import Finding
from .readable_amounts import names
from .remedy_commands import RemedyCommands

__all__ = ["check_broker", "check_permissions"]

_DEFAULT_EXCHANGE = "amq.default"
"""As permissions call the one without a name."""

_EXCHANGES = tuple(one.name for one in TOPOLOGY.exchanges)
_QUEUES = (*(one.name for one in TOPOLOGY.queues), TaskQueue("any", Priority.NORMAL).queue)
_READ = (*_EXCHANGES, *_QUEUES)
_WRITTEN = (*_READ, _DEFAULT_EXCHANGE)
"""A binding needs to write to what is bound, and to read what it is bound to."""

ADDRESS = "put COORDINATOR_AMQP_URL right: address, user, password, vhost"


def check_broker(facts: Facts) -> Iterator[Finding]:
    """It answers, and where it does not, why."""
    address, told = facts.address, facts.broker
    if not isinstance(told, str):
        yield Finding.ok("broker", f"{address.shown} answers")
        return
    if isinstance(facts.management, ManagementFacts):
        remedy = RemedyCommands.of(facts)
        if facts.management.has_vhost is False:
            text = f"The virtual host {address.vhost} does not exist at {address.shown}"
            yield Finding.problem("broker", text, remedy.create_vhost())
            return
        if facts.management.permissions == Permissions():
            text = f"The user {address.user} may not use the virtual host {address.vhost}"
            yield Finding.problem("permissions", text, remedy.let_use_everything())
            return
    hangs = told == NO_ANSWER
    if address.private is not None:
        yield Finding.problem(
            "broker",
            f"The private RabbitMQ of {address.private} cannot be used: {told}",
            "stop `coordinator up`, and start it again" if hangs else "start it: `coordinator up`",
        )
    else:
        yield Finding.problem(
            "broker",
            f"The broker at {address.shown} cannot be used: {told}",
            f"{'restart' if hangs else 'start'} RabbitMQ there, or {ADDRESS}",
        )


def check_permissions(facts: Facts) -> Iterator[Finding]:
    """A user who may connect has all permissions, as far as they can be read; what may not be declared is
    told by the broker itself.
    """
    if isinstance(facts.broker, str) or isinstance(facts.management, str):
        return
    granted = facts.management.permissions
    if granted is None or granted == Permissions():  # it may be known elsewhere, such as in LDAP
        return
    for needed, doing, pattern in (
        (_WRITTEN, "write to", granted.write),
        (_READ, "read", granted.read),
    ):
        missing = list(_not_covered(needed, pattern))
        if missing:
            yield Finding.problem(
                "permissions",
                f"The user {facts.address.user} may not {doing} {names(missing)}",
                RemedyCommands.of(facts).let_use_everything(),
            )


def _not_covered(needed: Iterable[str], pattern: str) -> Iterator[str]:
    try:
        allowed = re.compile(pattern or "^$")
    except re.error:  # RabbitMQ's expressions are Perl's
        return
    yield from (name for name in needed if not allowed.search(name))
