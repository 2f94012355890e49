"""Runs a private RabbitMQ node as a child process, for who has no broker to name.

    new ──start──▶ starting ──▶ running ──stop──▶ stopping ──▶ stopped ──start──▶ ...
                       └───────── it failed ─────────▲

It is the real server, with a name, ports, users and data of its own, on loopback only. It shares
nothing with a RabbitMQ service of the machine and never touches one.

    EmbeddedNode ──▶ NodeFiles ......... its folder: configuration, secrets, data, lock
         ├─────────▶ Server ............ how to run it: installed, in another root, in a container
         └─────────▶ NodeProcess ....... one life of it: started, ready, stopped
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import AsyncExitStack
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

from coordinator.errors import OperatorError, OtherVersionsData

from .docker_server import find_docker_server
from .free_ports import choose_port, is_free
from .installed_server import find_server
from .node_files import NodeFiles
from .node_identity import Identity, Ports
from .node_process import Died, NodeProcess
from .server_launch import Server

__all__ = ["EmbeddedNode", "NodeState"]

SERVICES = {"AMQP": 5672, "management": 15672}
"""What people and programs connect to, and the usual port of each."""

START_ATTEMPTS = 3
"""A chosen port can be taken by another program before the node has it."""

MANY_ENDS = 4
MANY_ENDS_WITHIN = 120.0
"""Seconds. A node that ends by itself so often would go on doing so."""


class NodeState(StrEnum):
    """Names the states of a node, in the order in which it goes through them."""

    NEW = "new"  #: nothing was started
    STARTING = "starting"  #: its process runs, it does not answer yet
    RUNNING = "running"  #: AMQP and the management API answered
    STOPPING = "stopping"  #: it was asked to stop
    STOPPED = "stopped"  #: its processes are gone


def _silent(_line: str) -> None:
    """The default for `EmbeddedNode.say`."""


class EmbeddedNode:
    """Starts the node and stops it: an async context manager. Stopping twice is harmless.

    A node that ends by itself ``many_ends`` times in two minutes is given up.

    ``say`` is called with a line for people at each step that takes a while. ``monotonic``: a clock in
    seconds that is never set. A port that is named is taken or refused; otherwise the one of the last start
    or, with ``standard_ports``, RabbitMQ's usual one is preferred, and any free one will do.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        server: Server | None = None,
        amqp_port: int | None = None,
        management_port: int | None = None,
        standard_ports: bool = True,
        say: Callable[[str], None] = _silent,
        many_ends: int = MANY_ENDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.state = NodeState.NEW
        self._files = NodeFiles(data_dir)
        self._server = server
        self._wanted = (amqp_port, management_port)
        self._standard_ports = standard_ports
        self._say = say
        self._many_ends = many_ends
        self._monotonic = monotonic
        self._identity = Identity(username="", password="")
        self._ports = Ports(amqp=0, management=0, distribution=0, epmd=0)
        self._version = ""
        self._process: NodeProcess | None = None
        self._stack = AsyncExitStack()

    @property
    def username(self) -> str:
        return self._identity.username

    @property
    def password(self) -> str:
        return self._identity.password

    @property
    def administrator_file(self) -> Path:
        """The file with the login of the node's administrator, for people (mode 0600)."""
        return self._files.administrator

    @property
    def amqp_url(self) -> str:
        """The node's address, with user and password."""
        return self._identity.amqp_url(self._ports)

    @property
    def management_url(self) -> str:
        return self._ports.management_url

    @property
    def version(self) -> str:
        """Of the server, such as `3.10.8`."""
        return self._version

    @property
    def log(self) -> Path:
        """The file of the server's own log."""
        return self._files.log

    @property
    def pid(self) -> int:
        """Of the Erlang VM that is the broker: for tests that suspend or kill it."""
        if self._process is None:
            raise OperatorError("The private RabbitMQ node is not running")
        return self._process.pid

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Return when AMQP and the management API answer; `OperatorError` says why they do not."""
        if self.state not in {NodeState.NEW, NodeState.STOPPED}:
            return
        self.state = NodeState.STARTING
        try:
            server = self._server
            if server is None:
                server = await asyncio.to_thread(_any_server)
            lock = self._stack.enter_context(self._files.locked())
            self._identity = self._files.identity()
            self._say("starting a private RabbitMQ node (some seconds)")
            await self._start(server, lock)
        except BaseException:
            await self.stop()
            raise
        self.state = NodeState.RUNNING

    async def stop(self) -> None:
        """End the node: its connections are closed and its stores are written out first."""
        if self.state in {NodeState.NEW, NodeState.STOPPED}:
            return
        self.state = NodeState.STOPPING
        await self._stack.aclose()
        self.state = NodeState.STOPPED

    async def wait(self) -> None:
        """Return when the node has ended, by itself or because it was stopped."""
        if self._process is not None:
            await self._process.wait()

    async def keep(self) -> NoReturn:
        """Start the node again whenever it ends by itself. Raises `OperatorError` where it ends often,
        or cannot be had at the same address again.
        """
        ends: deque[float] = deque(maxlen=self._many_ends)
        while True:
            await self.wait()
            if self.state is not NodeState.RUNNING or self._process is None:
                await asyncio.Event().wait()  # it was stopped
                continue
            reason, url = self._process.reason, self.amqp_url
            ends.append(self._monotonic())
            if len(ends) == self._many_ends and ends[-1] - ends[0] < MANY_ENDS_WITHIN:
                raise OperatorError(
                    f"The private RabbitMQ node ends again and again: {reason}; its log: {self.log}"
                )
            self._say(f"the private RabbitMQ node ended by itself: {reason}; its log: {self.log}")
            await self.stop()
            await self.start()
            if self.amqp_url != url:
                raise OperatorError(
                    "The private RabbitMQ node ended, and another program has its port now:"
                    " start again"
                )
            self._say("the private RabbitMQ node is back")

    async def _start(self, server: Server, lock: int) -> None:
        for attempt in range(1, START_ATTEMPTS + 1):
            self._ports = self._choose_ports()
            self._files.write(self._identity, self._ports, listen_on=server.listens_on)
            process = await NodeProcess.start(server, self._files, self._ports, lock=lock)
            async with AsyncExitStack() as stack:
                stack.push_async_callback(process.stop, self._say)
                try:
                    self._version = await process.until_ready(self._identity, self._say)
                except Died as exc:
                    if exc.reason_is_a_port and attempt < START_ATTEMPTS:
                        continue
                    kind = OtherVersionsData if exc.reason_is_the_version else OperatorError
                    raise kind(
                        f"The private RabbitMQ node did not start: {exc.reason};"
                        f" its log: {self.log}"
                    ) from None
                self._process = process
                self._stack.push_async_exit(stack.pop_all())
                return

    def _choose_ports(self) -> Ports:
        kept = self._identity.ports
        last = (kept.amqp, kept.management) if kept else (None, None)
        taken: set[int] = set()
        amqp, management = (
            self._choose_port(service, wanted, last, taken)
            for service, wanted, last in zip(SERVICES, self._wanted, last, strict=True)
        )
        return Ports(
            amqp=amqp,
            management=management,
            distribution=choose_port([], taken=taken),
            epmd=choose_port([], taken=taken),
        )

    def _choose_port(
        self, service: str, wanted: int | None, last: int | None, taken: set[int]
    ) -> int:
        if wanted is not None:
            if not is_free(wanted):
                raise OperatorError(
                    f"Port {wanted} for RabbitMQ's {service} is taken:"
                    " stop the program that has it, or name another port"
                )
            taken.add(wanted)
            return wanted
        usual = SERVICES[service] if self._standard_ports else None
        chosen = choose_port([last, usual], taken=taken)
        if usual is not None and chosen not in (usual, last):
            self._say(f"RabbitMQ's usual {service} port {usual} is taken: using {chosen}")
        return chosen


def _any_server() -> Server:
    server = find_server() or find_docker_server()
    if server is None:
        raise OperatorError(
            "RabbitMQ is not installed: run `sudo apt-get install rabbitmq-server`,"
            " or name a broker with --amqp-url or COORDINATOR_AMQP_URL"
        )
    return server
