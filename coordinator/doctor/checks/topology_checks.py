"""Checks exchanges, queues and bindings against `protocol.topology`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from coordinator.doctor.facts.fact_types import Facts, ObjectState, ObjectVerdict
from coordinator.protocol.priority import Priority
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.topology import TASKS, TOPOLOGY, task_queue_topology

from .event_log_checks import waiting
from .finding import Finding
from .readable_amounts import count, names
from .remedy_commands import RESTART, RemedyCommands

__all__ = [
    "check_bindings",
    "check_silent",
    "check_structure",
    "check_unknown_queues",
    "difference",
]

TASK_QUEUE = "tasks."
"""How the name of each queue of tasks begins."""

ARGUMENTS = task_queue_topology(TaskQueue("any", Priority.NORMAL)).queues[0].arguments
"""Of each queue of tasks."""

_INEQUIVALENT = re.compile(r"inequivalent arg '(.+?)'")
_VALUES = re.compile(r" received (.+) but current is (.+?)(?: \(while|$)")
_CUT_OFF = "..."
"""Where the names of queue and virtual host are long: RabbitMQ ends the sentence so at 255
bytes, the most of a short string in AMQP 0-9-1.
"""
_TYPED = re.compile(r"the value (.+) of type '.*'")


def check_structure(facts: Facts) -> Iterator[Finding]:
    """Every exchange and queue exists, as a coordinator declares it."""
    broker = facts.broker
    if isinstance(broker, str):
        return
    if broker.is_fresh:
        yield Finding.warning(
            "queues",
            f"No coordinator has been connected to {facts.address.shown} yet",
            "start one: `coordinator up` or `coordinator serve`",
        )
        return
    remedy = RemedyCommands.of(facts)
    yield from _wrong(broker.exchanges, "exchange", remedy)
    yield from _wrong((*broker.queues, *broker.sources), "queue", remedy)
    yield from _missing(broker.structure, broker.sources)
    everything = (*broker.structure, *broker.sources)
    if all(one.verdict is ObjectVerdict.RIGHT for one in everything):
        yield Finding.ok(
            "queues",
            f"{count(len(broker.exchanges), 'exchange')} and"
            f" {count(len(broker.queues) + len(broker.sources), 'queue')}, as they should be",
        )


def _wrong(found: tuple[ObjectState, ...], kind: str, remedy: RemedyCommands) -> Iterator[Finding]:
    for one in found:
        if one.verdict is ObjectVerdict.DIFFERENT:
            delete = remedy.delete_queue if kind == "queue" else remedy.delete_exchange
            lost = ""
            if one.ready:
                lost = f"; deleting it loses the {count(one.ready, 'message')} in it"
            yield Finding.problem(
                "queues",
                f"The {kind} {one.name} has {difference(one.told)}{lost}",
                delete(one.name),
            )
    refused = [one for one in found if one.verdict is ObjectVerdict.REFUSED]
    if refused:
        yield Finding.problem(
            "permissions",
            f"This user may not declare {names([one.name for one in refused])}: {refused[0].told}",
            remedy.let_use_everything(),
        )


def _missing(
    structure: tuple[ObjectState, ...], sources: tuple[ObjectState, ...]
) -> Iterator[Finding]:
    for kind, found in (("that everything needs", structure), ("that the ledger knows", sources)):
        gone = sorted({one.name for one in found if one.verdict is ObjectVerdict.MISSING})
        if gone:
            yield Finding.problem("queues", f"Missing, of those {kind}: {names(gone)}", RESTART)


def check_silent(facts: Facts) -> Iterator[Finding]:
    """The leader of every queue answers."""
    broker = facts.broker
    if isinstance(broker, str):
        return
    silent = [
        one.name for one in (*broker.queues, *broker.sources) if one.verdict is ObjectVerdict.SILENT
    ]
    if silent:
        yield Finding.problem(
            "queues",
            f"{count(len(silent), 'queue does', 'queues do')} not answer, though the node does:"
            f" {names(silent)}",
            RemedyCommands.of(facts).restart_leader(silent[0]),
        )


def check_bindings(facts: Facts) -> Iterator[Finding]:
    """Every exchange and queue is bound."""
    broker, management = facts.broker, facts.management
    if isinstance(broker, str) or isinstance(management, str) or management.bindings is None:
        return
    there = {one.name for one in broker.structure if one.verdict is not ObjectVerdict.MISSING}
    gone = [
        f"{one.target} to {one.exchange} ({one.key or 'no key'})"
        for one in TOPOLOGY.bindings
        if {one.exchange, one.target} <= there and one not in management.bindings
    ]
    bound = {one.target for one in management.bindings if one.key and one.exchange}
    gone += [
        f"{one.name} to its exchange"
        for one in broker.sources
        if one.verdict is not ObjectVerdict.MISSING and one.name not in bound
    ]
    if gone:
        yield Finding.problem("bindings", f"Not bound: {names(gone)}", RESTART)
    elif TASKS in there:
        yield Finding.ok("bindings", "Every exchange and queue is bound as it should be")


def check_unknown_queues(facts: Facts) -> Iterator[Finding]:
    """There is no queue of tasks that the ledger does not know: no agent is told of one."""
    broker, management, state = facts.broker, facts.management, facts.ledger.state
    if isinstance(broker, str) or isinstance(management, str) or state is None:
        return
    if state.task_queues is None:
        return
    known = {one.queue for one in state.task_queues}
    remedy = RemedyCommands.of(facts)
    for queue in management.queues or ():
        if not queue.name.startswith(TASK_QUEUE) or queue.name in known:
            continue
        held = queue.ready + queue.unsettled
        text = f"The ledger does not know the queue {queue.name}, so no agent is told of it"
        if queue.arguments is not None and not ARGUMENTS.items() <= queue.arguments.items():
            lost = f"; deleting it loses the {count(held, 'message')} in it" if held else ""
            yield Finding.problem(
                "unknown-queues",
                f"The queue {queue.name} has other arguments than a coordinator gives it: tasks for"
                f" it are refused{lost}",
                remedy.delete_queue(queue.name),
            )
        elif not held:
            yield Finding.warning("unknown-queues", text, remedy.delete_queue(queue.name))
        elif waiting(broker, management):
            yield Finding.warning(
                "unknown-queues",
                f"{text} yet; the log may still hold its opening",
                "look again when the log is empty",
            )
        else:
            yield Finding.problem(
                "unknown-queues",
                f"{text}; it holds {count(held, 'message')}",
                "submit a task with the same requirements and priority: that opens it for agents",
            )


def difference(told: str) -> str:
    """The broker's complaint about an argument, without its words for programs."""
    argument = _INEQUIVALENT.search(told)
    if argument is None:
        return f"other arguments: {told}"
    values = _VALUES.search(told, argument.end())
    if values is None or values[2].endswith(_CUT_OFF):
        return f"{argument[1]} other than it should be"
    wanted, current = values.groups()
    return f"{argument[1]} {_value(current)}; it should be {_value(wanted)}"


def _value(told: str) -> str:
    """`the value '20' of type 'byte'` and `'20'` are 20."""
    typed = _TYPED.fullmatch(told.strip())
    return (typed.group(1) if typed else told.strip()).strip("'")
