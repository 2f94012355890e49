"""Declares a way to run a RabbitMQ server, and the launch that comes of it: a command and its environment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .node_identity import Ports

__all__ = ["MOUNT_POINT", "STOP_AT_END_OF_INPUT", "Launch", "Server"]

STOP_AT_END_OF_INPUT = """
spawn(fun() ->
    io:get_line([]),
    catch gen_event:delete_handler(rabbit_event, rabbit_mgmt_db_handler, []),
    rabbit:stop(),
    erlang:halt(0)
end).
"""
"""What the VM runs beside the broker: when its standard input ends, which it does when this process
closes it or is no more, the broker stops in an orderly way. Signals cannot do that well: RabbitMQ
3.10 waits five seconds for itself, because the management plugin's handler calls the application
controller while that waits for the handler to end; and SIGKILL can lose a quorum queue that was
declared in the last second, for good."""

MOUNT_POINT = "/mnt"
"""Where a server inside another root, or a container, sees its data folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """Holds the command to run, and the whole of its environment."""

    command: list[str]
    env: dict[str, str]


class Server(Protocol):
    """Runs RabbitMQ in the foreground, so that it ends when its standard input does."""

    @property
    def listens_on(self) -> str:
        """The address that the server itself is to listen on."""

    def server(self, folder: Path, ports: Ports) -> Launch:
        """The server, on the node's data ``folder``."""

    def epmd(self, folder: Path, ports: Ports) -> Launch | None:
        """Erlang's name service, where it has to be started separately."""
