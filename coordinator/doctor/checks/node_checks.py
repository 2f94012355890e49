"""Checks the nodes: alarms of memory and disk and how near they are, descriptors, feature flags. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from coordinator.doctor.facts.fact_types import Facts, NodeFacts

from .finding import Finding
from .readable_amounts import count, names, size
from .remedy_commands import RemedyCommands

__all__ = ["check_flags", "check_nodes"]

MEMORY_MARGIN = 0.8
"""Of the limit; past it, what a busy hour takes is missing."""
DISK_MARGIN = 2
"""Times the limit."""
LOW_DISK_LIMIT = 200_000_000
"""Bytes; RabbitMQ's default of 50 MB leaves its log no room to end in good order."""
DESCRIPTORS_MARGIN = 0.9
"""Of all file descriptors."""

NEEDED_FLAGS = frozenset({"quorum_queue", "stream_queue"})
"""Dead-lettering at least once needs both. Versions that cannot be without a flag name it no more,
or as enabled."""


def check_nodes(facts: Facts) -> Iterator[Finding]:
    """Each node runs, sees the others, and is far from its alarms."""
    if isinstance(facts.management, str) or facts.management.nodes is None:
        return
    nodes = facts.management.nodes
    for node in nodes:
        yield from _life(node)
        if node.running:
            yield from _memory(node)
            yield from _disk(node)
            yield from _descriptors(node)
    if len(nodes) > 1 and all(node.running for node in nodes):
        yield Finding.ok("nodes", f"{len(nodes)} nodes run")


def _life(node: NodeFacts) -> Iterator[Finding]:
    if not node.running:
        yield Finding.problem(
            "nodes", f"The node {node.name} is down", "start it: `rabbitmqctl start_app` there"
        )
    if node.partitions:
        yield Finding.problem(
            "nodes",
            f"The node {node.name} is cut off from {names(node.partitions)}",
            "mend the network, then run `rabbitmqctl stop_app && rabbitmqctl start_app` there",
        )


def _memory(node: NodeFacts) -> Iterator[Finding]:
    used, limit = node.memory_used, node.memory_limit
    fix = "add memory, or run `rabbitmqctl set_vm_memory_high_watermark 0.6` there"
    if node.memory_alarm:
        yield Finding.problem(
            "memory",
            f"{node.name} has its memory alarm on: nobody can publish, agents neither",
            fix,
        )
    elif used is None or not limit:
        return
    elif used > MEMORY_MARGIN * limit:
        yield Finding.warning(
            "memory", f"{node.name} uses {size(used)} of {size(limit)} before its alarm", fix
        )
    else:
        yield Finding.ok("memory", f"{node.name} uses {size(used)} of {size(limit)}")


def _disk(node: NodeFacts) -> Iterator[Finding]:
    free, limit = node.disk_free, node.disk_limit
    fix = "free disk space there"
    if node.disk_alarm:
        yield Finding.problem(
            "broker-disk",
            f"{node.name} has its disk alarm on: nobody can publish, agents neither",
            fix,
        )
    elif free is None or limit is None:
        return
    elif free < DISK_MARGIN * limit:
        yield Finding.warning(
            "broker-disk",
            f"{node.name} has {size(free)} of disk left; its alarm is at {size(limit)}",
            fix,
        )
    elif limit < LOW_DISK_LIMIT:
        yield Finding.warning(
            "broker-disk",
            f"{node.name} sounds its disk alarm only at {size(limit)}, which is too late",
            "run `rabbitmqctl set_disk_free_limit 2GB` there, and set `disk_free_limit.absolute ="
            " 2GB` in rabbitmq.conf",
        )
    else:
        yield Finding.ok(
            "broker-disk", f"{node.name} has {size(free)} free; its alarm is at {size(limit)}"
        )


def _descriptors(node: NodeFacts) -> Iterator[Finding]:
    used, total = node.descriptors_used, node.descriptors_total
    if used is not None and total and used > DESCRIPTORS_MARGIN * total:
        yield Finding.warning(
            "descriptors",
            f"{node.name} has {used} of {total} file descriptors open",
            "raise LimitNOFILE of the rabbitmq-server unit",
        )


def check_flags(facts: Facts) -> Iterator[Finding]:
    """All stable feature flags are enabled."""
    if isinstance(facts.management, str) or facts.management.flags is None:
        return
    disabled = [one.name for one in facts.management.flags if not one.enabled]
    experimental = {one.name for one in facts.management.flags if one.experimental}
    fix = RemedyCommands.of(facts).enable_flags()
    needed = [name for name in disabled if name in NEEDED_FLAGS]
    others = [name for name in disabled if name not in NEEDED_FLAGS | experimental]
    if needed:
        yield Finding.problem(
            "feature-flags", f"Disabled, and needed for the queues of tasks: {names(needed)}", fix
        )
    if others:
        yield Finding.warning(
            "feature-flags",
            f"{count(len(others), 'feature flag is', 'feature flags are')} disabled, which the"
            f" next version will want: {names(others)}",
            fix,
        )
    if not needed and not others:
        yield Finding.ok("feature-flags", "All stable feature flags are enabled")
