"""Checks the log and its reader, and the queues beside it that a coordinator empties. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from coordinator.broker.undeliverable_head import WHAT_TO_DO, undeliverable
from coordinator.doctor.facts.fact_types import (
    BrokerFacts,
    Facts,
    ListedQueue,
    ManagementFacts,
    ObjectVerdict,
)
from coordinator.protocol.topology import LOG, REQUESTS, UNROUTED

from .finding import Finding
from .readable_amounts import count, names, span

__all__ = ["check_log", "check_members", "check_side_queues", "check_stuck", "waiting"]

DEEP = 10_000
"""Messages; some seconds of folding."""

START = "start one: `coordinator up` or `coordinator serve`"


def waiting(broker: BrokerFacts, management: ManagementFacts | str) -> int:
    """Messages of the log that are not folded. Those in the reader's hands are known to the
    management API alone, which is some seconds behind.
    """
    log = broker.queue(LOG)
    listed = None if isinstance(management, str) else management.queue(LOG)
    return (log.ready if log else 0) + (listed.unsettled if listed else 0)


def check_log(facts: Facts) -> Iterator[Finding]:
    """A coordinator reads the log, and keeps up."""
    broker = facts.broker
    log = None if isinstance(broker, str) else broker.queue(LOG)
    if isinstance(broker, str) or log is None or log.verdict is not ObjectVerdict.RIGHT:
        return
    behind = waiting(broker, facts.management)
    depth = f"{count(behind, 'message')} of the log {'is' if behind == 1 else 'are'} not folded"
    state = facts.ledger.state
    if behind and state is not None and state.folded_until is not None:
        lag = max(timedelta(0), facts.at - state.folded_until)
        depth += f"; what is folded ends {span(lag)} ago"
    if log.consumers == 0 and behind and LOG in _stuck(facts):
        return  # told by `check_stuck`: another coordinator would fare no better
    if log.consumers == 0 and behind:
        yield Finding.problem("log", f"No coordinator reads the log: {depth}", START)
    elif log.consumers == 0:
        yield Finding.warning("log", "No coordinator reads the log", START)
    elif behind >= DEEP:
        yield Finding.warning(
            "log",
            depth,
            "wait, and look again: where it does not shrink, read the coordinator's own log",
        )
    else:
        yield Finding.ok("log", depth if behind else "The log is read and empty")


def check_stuck(facts: Facts) -> Iterator[Finding]:
    """No queue waits that the broker ended a coordinator's connections over."""
    broker = facts.broker
    if isinstance(broker, str):
        return
    for name, since in _stuck(facts).items():
        queue = broker.queue(name)
        if queue is not None and queue.ready:
            yield Finding.problem(
                "log",
                f"{undeliverable(name)}, says a coordinator since {span(facts.at - since)};"
                f" {count(queue.ready, 'message')} {'waits' if queue.ready == 1 else 'wait'} there",
                WHAT_TO_DO,
            )


def _stuck(facts: Facts) -> dict[str, datetime]:
    state = facts.ledger.state
    return {one.queue: one.since for one in state.stuck} if state else {}


def check_side_queues(facts: Facts) -> Iterator[Finding]:
    """While a coordinator is connected, these are empty but for moments."""
    broker = facts.broker
    log = None if isinstance(broker, str) else broker.queue(LOG)
    if isinstance(broker, str) or log is None or log.consumers == 0:
        return
    for name, what in ((UNROUTED, "tasks without a queue"), (REQUESTS, "requests of agents")):
        queue = broker.queue(name)
        if queue is not None and queue.ready:
            yield Finding.warning(
                "log",
                f"{name} holds {count(queue.ready, 'message')} ({what}) that a coordinator should"
                " have taken",
                "look again; where it stays, read the coordinator's own log",
            )


def check_members(facts: Facts) -> Iterator[Finding]:
    """Quorum queues in a cluster have enough members, and all of them are online."""
    if isinstance(facts.management, str):
        return
    ours = [one for one in facts.management.queues or () if _ours(one)]
    weak = [one.name for one in ours if len(one.online) < len(one.members)]
    if weak:
        yield Finding.warning(
            "members",
            f"Members of {count(len(weak), 'queue')} are not online: {names(weak)}",
            "start the nodes that are down: `rabbitmqctl cluster_status` names them",
        )
    nodes = facts.management.nodes or ()
    thin = [one.name for one in ours if 0 < len(one.members) < min(3, len(nodes))]
    if thin:
        yield Finding.warning(
            "members",
            f"{count(len(thin), 'queue has', 'queues have')} fewer than three members: "
            f"{names(thin)}",
            f"rabbitmq-queues grow <node> all --vhost-pattern '^{facts.address.vhost}$'",
        )


def _ours(queue: ListedQueue) -> bool:
    return queue.name.startswith(("tasks.", "coordinator."))
