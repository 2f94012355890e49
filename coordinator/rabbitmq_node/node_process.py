"""Starts and stops the processes of a private RabbitMQ node: the Erlang VM that is the broker, and its
epmd.
"""

from __future__ import annotations

import asyncio
import signal
from asyncio.subprocess import Process
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from coordinator.errors import OperatorError

from .child_process import spawn, spawn_obedient
from .node_files import NodeFiles
from .node_identity import Identity, Ports
from .readiness_probe import (
    OTHER_VERSION,
    PORT_TAKEN,
    amqp_version,
    management_answers,
    reason_of_failure,
)
from .server_launch import Launch, Server

__all__ = ["Died", "NodeProcess"]

START_TIMEOUT = 120.0
"""Seconds. Usually 4 to 10; a large backlog is read back before the node listens."""

STOP_TIMEOUT = 15.0
"""Seconds after which a node that was asked to stop is killed. Usually 0.3."""

POLL = 0.05
"""Seconds between two looks at whether a node has got on."""

FOR_THIS_USER = 0o077
"""The umask of a node: its messages are nobody else's, wherever its folder is moved to."""

MARK = "AGENT_COORDINATOR_NODE"
"""An environment variable of every process of a node: its folder, to know them by."""


class Died(Exception):
    """Says that the node ended, or hung, before it was ready."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.reason_is_a_port = reason == PORT_TAKEN
        self.reason_is_the_version = reason == OTHER_VERSION


class NodeProcess:
    """Runs a node once, from its start to its end."""

    def __init__(self, vm: Process, epmd: Process | None, files: NodeFiles, ports: Ports) -> None:
        self._vm = vm
        self._epmd = epmd
        self._files = files
        self._ports = ports
        self._obeys = False
        """Whether the VM reads its standard input yet: it does so once it has booted."""

    @classmethod
    async def start(cls, server: Server, files: NodeFiles, ports: Ports, *, lock: int) -> Self:
        """Start epmd and the VM. ``lock`` is the descriptor that the VM holds for as long as it lives."""
        files.output.write_bytes(b"")
        epmd = None
        try:
            if (launch := server.epmd(files.folder, ports)) is not None:
                epmd = await spawn(
                    launch.command,
                    env=_marked(launch, files),
                    output=files.output,
                    umask=FOR_THIS_USER,
                )
            launch = server.server(files.folder, ports)
            vm = await spawn_obedient(
                launch.command,
                env=_marked(launch, files),
                output=files.output,
                pass_fds=[lock],
                umask=FOR_THIS_USER,
            )
        except BaseException as exc:
            await _kill(epmd)
            if isinstance(exc, OSError):
                raise OperatorError(
                    f"RabbitMQ could not be started: {exc.filename}: {exc.strerror}"
                ) from exc
            raise
        return cls(vm, epmd, files, ports)

    @property
    def pid(self) -> int:
        """Of the VM."""
        return self._vm.pid

    @property
    def reason(self) -> str:
        """Why it ended, as far as it or the system said so."""
        if self._vm.returncode is not None and self._vm.returncode < 0:
            return f"it was ended by {signal.Signals(-self._vm.returncode).name}"
        return reason_of_failure(self._files.output, self._files.log)

    async def until_ready(self, identity: Identity, say: Callable[[str], None]) -> str:
        """The server's version, once AMQP and the management API answer. Raises `Died`."""
        try:
            async with asyncio.timeout(START_TIMEOUT):
                while (version := await amqp_version(self._ports.amqp)) is None:
                    await self._pause()
                say(f"RabbitMQ {version} answers; waiting for its management API")
                while not await management_answers(
                    self._ports.management, identity.username, identity.password
                ):
                    await self._pause()
        except TimeoutError:
            raise Died(f"it did not answer within {START_TIMEOUT:.0f} seconds") from None
        self._obeys = True
        return version

    async def wait(self) -> None:
        """Return when the VM has ended."""
        await self._vm.wait()

    async def stop(self, say: Callable[[str], None]) -> None:
        """End it in an orderly way, or else in any way."""
        if self._vm.returncode is None:
            with suppress(ProcessLookupError):
                self._vm.send_signal(signal.SIGCONT)  # a suspended process can't obey
                if not self._obeys:
                    self._vm.send_signal(signal.SIGTERM)
            if self._vm.stdin is not None:
                self._vm.stdin.close()
            try:
                async with asyncio.timeout(STOP_TIMEOUT):
                    await self._vm.wait()
            except TimeoutError:
                say("RabbitMQ did not stop in time: killing it")
        await _kill(self._vm)
        await _kill(self._epmd)

    async def _pause(self) -> None:
        if self._epmd is not None and self._epmd.returncode == 0:
            # Somebody listens at its port: it takes that for another epmd, and ends without a word. The VM
            # would fail for want of it, or from RabbitMQ 4.3 on wait.
            raise Died(PORT_TAKEN)
        if self._vm.returncode is not None:
            raise Died(self.reason)
        await asyncio.sleep(POLL)


def _marked(launch: Launch, files: NodeFiles) -> dict[str, str]:
    return launch.env | {MARK: str(files.folder)}


async def _kill(process: Process | None) -> None:
    if process is None:
        return
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
    await process.wait()
