"""Checks policies: that none harms a queue, and how long an agent may hold a task. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from coordinator.doctor.facts.fact_types import Facts, Policy
from coordinator.protocol.priority import Priority
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.topology import DELIVERY_LIMIT, LOG, REQUESTS, UNROUTED
from coordinator.rabbitmq_node.node_configuration import CONSUMER_TIMEOUT

from .applied_policies import applying
from .finding import Finding
from .readable_amounts import span
from .remedy_commands import RemedyCommands

__all__ = ["check_consumer_timeout", "check_policies"]

EXAMPLE = TaskQueue("any", Priority.NORMAL).queue
"""Stands for the queues of tasks that are still to come."""

HARMFUL = {
    "max-length": "a full queue refuses a task that the log has taken",
    "max-length-bytes": "a full queue refuses a task that the log has taken",
    "message-ttl": "what waits longer is taken out of it",
    "expires": "it is deleted, with what it holds, when nobody uses it for a while",
}
"""Keys that no queue here can live with."""

TIMEOUT_BY_POLICY = (3, 12)
"""The first version that takes `consumer-timeout` from a policy."""


def check_policies(facts: Facts) -> Iterator[Finding]:
    """No policy takes anything out of a queue, or has it refuse what the log has taken."""
    if isinstance(facts.management, str) or facts.management.policies is None:
        return
    policies = facts.management.policies
    state = facts.ledger.state
    known = {one.queue for one in (state.task_queues if state else None) or ()}
    hurt: dict[tuple[str, bool, str], tuple[Policy, list[str]]] = {}
    for queue in [LOG, UNROUTED, REQUESTS, *sorted(known | {EXAMPLE})]:
        for policy in applying(policies, queue):
            for name, value in policy.definition.items():
                if why := _harm(queue, name, value):
                    harm = (policy.name, policy.operator, f"{name} {value}: {why}")
                    hurt.setdefault(harm, (policy, []))[1].append(queue)
    remedy = RemedyCommands.of(facts)
    for (_, _, why), (policy, queues) in hurt.items():
        yield Finding.problem(
            "policies",
            f"The {'operator ' if policy.operator else ''}policy {policy.name} gives {queues[0]}"
            f"{' and others' if len(queues) > 1 else ''} {why}",
            remedy.delete_policy(policy),
        )
    if not hurt:
        yield Finding.ok("policies", "No policy takes anything out of a queue")


def _harm(queue: str, key: str, value: Any) -> str | None:
    if key != "delivery-limit":
        return HARMFUL.get(key)
    if queue in {LOG, UNROUTED} and isinstance(value, int) and value >= 0:
        return "what it returns more often, as when a coordinator stops, is dropped"
    if isinstance(value, int) and 0 <= value < DELIVERY_LIMIT:
        return "a task whose agents lose their connection that often is given up"
    return None


def check_consumer_timeout(facts: Facts) -> Iterator[Finding]:
    """A consumer that holds a message for longer loses its channel, and the task runs again."""
    version = facts.version
    if version is None:
        return
    remedy = RemedyCommands.of(facts)
    by_policy = version >= TIMEOUT_BY_POLICY
    fix = (remedy.set_timeout_policy if by_policy else remedy.set_timeout_setting)(CONSUMER_TIMEOUT)
    found = (_by_policy(facts) if by_policy else None) or facts.address.consumer_timeout
    if found is None:
        yield _unknown(facts, fix, by_policy=by_policy)
    elif found < facts.default_timeout:
        yield Finding.problem(
            "consumer-timeout",
            f"The broker takes a task away from its agent after {span(found)}; one that names no"
            f" time-out may take {span(facts.default_timeout)}",
            fix,
        )
    elif found < facts.longest_timeout:
        yield Finding.warning(
            "consumer-timeout",
            f"The broker takes a task away from its agent after {span(found)}; one may ask for"
            f" {span(facts.longest_timeout)}",
            fix,
        )
    else:
        yield Finding.ok("consumer-timeout", f"An agent may hold a task for {span(found)}")


def _by_policy(facts: Facts) -> timedelta | None:
    """The shorter one, of the policy and the operator policy that apply."""
    if isinstance(facts.management, str):
        return None
    found = [
        one.definition["consumer-timeout"]
        for one in applying(facts.management.policies or (), EXAMPLE)
        if isinstance(one.definition.get("consumer-timeout"), int)
    ]
    return timedelta(milliseconds=min(found)) if found else None


def _unknown(facts: Facts, fix: str, *, by_policy: bool) -> Finding:
    if not by_policy:
        text = "This version has one consumer_timeout for all, which cannot be read from outside"
    elif isinstance(facts.management, str) or facts.management.policies is None:
        text = "Whether a policy sets consumer-timeout cannot be read"
    else:
        text = "No policy sets consumer-timeout for the queues of tasks"
    return Finding.warning(
        "consumer-timeout",
        f"{text}; unless rabbitmq.conf sets it, the broker takes a task away from its agent after"
        " 30 min",
        fix,
    )
