"""Holds the ports of a private RabbitMQ node, and its identity: user, password and the ports of the last
start.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

__all__ = ["Identity", "Ports"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Holds the TCP ports of a node on loopback: two for people and programs, two for Erlang itself."""

    amqp: int
    management: int
    distribution: int
    epmd: int

    @property
    def management_url(self) -> str:
        return f"http://127.0.0.1:{self.management}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Holds what a node keeps from one start to the next: its user, and the ports that it had."""

    username: str
    password: str
    ports: Ports | None = None

    def amqp_url(self, ports: Ports) -> str:
        """The node's address, with user and password."""
        login = f"{quote(self.username)}:{quote(self.password, safe='')}"
        return f"amqp://{login}@127.0.0.1:{ports.amqp}"
