"""TCP ports for servers under test."""

from __future__ import annotations

from coordinator.rabbitmq_node.free_ports import choose_port

__all__ = ["free_port"]

_taken: set[int] = set()


def free_port() -> int:
    """One that nobody listens on, below those that outgoing connections are given, so that a server
    that is started again finds it free."""
    return choose_port([], taken=_taken)
