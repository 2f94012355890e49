"""A private RabbitMQ node, run as a child process, for who has no broker to name.

    new ──start──▶ starting ──▶ running ──stop──▶ stopping ──▶ stopped
                       └────── it died ────────────────────────▲

It is the real server, with a name, ports, users and data of its own, on loopback only. It shares
nothing with a RabbitMQ service of the machine and never touches one.
"""

from __future__ import annotations

import asyncio
import signal
from asyncio.subprocess import Process
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self
from urllib.parse import quote

from coordinator.errors import OperatorError

from .child_process import spawn, spawn_obedient
from .node_files import Identity, NodeFiles, Ports, choose_port, environment, is_free
from .node_readiness import amqp_version, management_answers, reason_of_failure
from .node_server import ServerBinaries, find_server

__all__ = ["EmbeddedNode", "NodeState", "find_server"]

SERVICES = {"AMQP": 5672, "management": 15672}
"""What people and programs connect to, and the usual port of each."""

MARK = "AGENT_COORDINATOR_NODE"
"""An environment variable of every process of a node: its folder, to know them by."""

START_TIMEOUT = 120.0
"""Seconds. Usually 4 to 10; a large backlog is read back before the node listens."""

STOP_TIMEOUT = 15.0
"""Seconds after which a node that was asked to stop is killed."""

POLL = 0.05
"""Seconds between two looks at whether a node has got on."""

START_ATTEMPTS = 3
"""A chosen port can be taken by another program before the node has it."""


class NodeState(StrEnum):
    NEW = "new"  #: nothing was started
    STARTING = "starting"  #: its process runs, it does not answer yet
    RUNNING = "running"  #: AMQP and the management API answered
    STOPPING = "stopping"  #: it was asked to stop
    STOPPED = "stopped"  #: its processes are gone


def _silent(_line: str) -> None:
    """The default for `EmbeddedNode.say`."""


class EmbeddedNode:
    """An async context manager: the node runs inside it. Stopping twice is harmless.

    ``say`` is given a line for people at each step that takes a while. A port that is named is
    taken or refused; otherwise the one of the last start or, with ``standard_ports``, RabbitMQ's
    usual one is preferred, and any free one will do.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        server: ServerBinaries | None = None,
        amqp_port: int | None = None,
        management_port: int | None = None,
        standard_ports: bool = True,
        say: Callable[[str], None] = _silent,
    ) -> None:
        self.state = NodeState.NEW
        self._files = NodeFiles(data_dir)
        self._server = server
        self._wanted = (amqp_port, management_port)
        self._standard_ports = standard_ports
        self._say = say
        self._identity = Identity(username="", password="")
        self._ports = Ports(amqp=0, management=0, distribution=0, epmd=0)
        self._version = ""
        self._vm: Process | None = None
        self._obeys = False
        """Whether the VM reads its standard input yet: it does so once it has booted."""
        self._stack = AsyncExitStack()

    @property
    def username(self) -> str:
        return self._identity.username

    @property
    def password(self) -> str:
        return self._identity.password

    @property
    def amqp_url(self) -> str:
        login = f"{quote(self.username)}:{quote(self.password, safe='')}"
        return f"amqp://{login}@127.0.0.1:{self._ports.amqp}/"

    @property
    def management_url(self) -> str:
        return f"http://127.0.0.1:{self._ports.management}"

    @property
    def version(self) -> str:
        """Of the server, such as `3.10.8`."""
        return self._version

    @property
    def log(self) -> Path:
        return self._files.log

    @property
    def pid(self) -> int:
        """Of the Erlang VM that is the broker: for tests that suspend or kill it."""
        if self._vm is None:
            raise OperatorError("The private RabbitMQ node is not running.")
        return self._vm.pid

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
        server = self._server or find_server()
        if server is None:
            raise OperatorError(
                "RabbitMQ is not installed: run `sudo apt-get install rabbitmq-server`,"
                " or name a broker with --amqp-url or COORDINATOR_AMQP_URL."
            )
        self.state = NodeState.STARTING
        try:
            lock = self._stack.enter_context(self._files.locked())
            self._identity = self._files.identity()
            for attempt in range(1, START_ATTEMPTS + 1):
                if await self._start_once(server, lock, last=attempt == START_ATTEMPTS):
                    break
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
        if self._vm is not None:
            await self._vm.wait()

    async def died(self) -> NoReturn:
        """Wait until the node ends without having been asked to; then raise `OperatorError`."""
        await self.wait()
        if self.state is not NodeState.RUNNING:
            await asyncio.Event().wait()  # it was stopped: it did not die
        reason = reason_of_failure(self._files.output, self._files.log)
        raise OperatorError(f"The private RabbitMQ node ended: {reason}. Its log: {self.log}")

    async def _start_once(self, server: ServerBinaries, lock: int, *, last: bool) -> bool:
        """Whether the node came up; False where its ports were taken and others may be tried."""
        self._ports = self._choose_ports()
        self._files.write(self._identity, self._ports)
        self._files.output.write_bytes(b"")
        env = environment(server.path_of(self._files.folder), self._ports)
        env[MARK] = str(self._files.folder)
        async with AsyncExitStack() as stack:
            try:
                epmd = await spawn(
                    server.epmd_command(self._ports.epmd), env=env, output=self._files.output
                )
                stack.push_async_callback(_kill, epmd)
                vm = await spawn_obedient(
                    server.command(self._files.folder),
                    env=env,
                    output=self._files.output,
                    pass_fds=[lock],
                )
            except OSError as exc:
                raise OperatorError(
                    f"RabbitMQ could not be started: {exc.filename}: {exc.strerror}."
                ) from exc
            self._vm, self._obeys = vm, False
            stack.push_async_callback(self._stop_vm, vm)
            self._say("Starting a private RabbitMQ node (this takes some seconds) ...")
            try:
                await self._until_ready(vm)
            except _Died as exc:
                if "port" in exc.reason and not last and None in self._wanted:
                    return False
                raise OperatorError(
                    f"The private RabbitMQ node did not start: {exc.reason}."
                    f" Its log: {self._files.log}"
                ) from None
            self._stack.push_async_exit(stack.pop_all())
        return True

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
                    " stop the program that has it, or name another port."
                )
            taken.add(wanted)
            return wanted
        usual = SERVICES[service] if self._standard_ports else None
        chosen = choose_port([last, usual], taken=taken)
        if usual is not None and chosen not in (usual, last):
            self._say(f"RabbitMQ's usual {service} port {usual} is taken: using {chosen}.")
        return chosen

    async def _until_ready(self, vm: Process) -> None:
        try:
            async with asyncio.timeout(START_TIMEOUT):
                while (version := await amqp_version(self._ports.amqp)) is None:
                    await self._pause(vm)
                self._version = version
                self._say(f"RabbitMQ {version} answers; waiting for its management API ...")
                while not await management_answers(
                    self._ports.management, self.username, self.password
                ):
                    await self._pause(vm)
                self._obeys = True
        except TimeoutError:
            raise _Died(f"it did not answer within {START_TIMEOUT:.0f} seconds") from None

    async def _pause(self, vm: Process) -> None:
        if vm.returncode is not None:
            raise _Died(reason_of_failure(self._files.output, self._files.log))
        await asyncio.sleep(POLL)

    async def _stop_vm(self, vm: Process) -> None:
        if vm.returncode is None:
            with suppress(ProcessLookupError):
                vm.send_signal(signal.SIGCONT)  # a suspended process can't obey
                if not self._obeys:
                    vm.send_signal(signal.SIGTERM)
            if vm.stdin is not None:
                vm.stdin.close()
            try:
                async with asyncio.timeout(STOP_TIMEOUT):
                    await vm.wait()
            except TimeoutError:
                self._say("RabbitMQ did not stop in time: killing it.")
        await _kill(vm)


class _Died(Exception):
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


async def _kill(process: Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
    await process.wait()
