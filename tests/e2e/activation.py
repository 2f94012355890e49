"""A service manager of the tests' own, which does what systemd does for a service with a socket: it has the
listening socket, passes it on, and hears when a service is ready.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from tests.e2e.processes import Process, spawned

__all__ = ["ServiceManager"]

LOOPBACK = "127.0.0.1"

PASS_ON = """
import os, sys
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
os.dup2(int(sys.argv[1]), 3)
os.execv(sys.argv[2], sys.argv[2:])
"""
"""The service itself is to be the process with the number in LISTEN_PID, and the socket its file 3."""


class ServiceManager:
    """Listens on a free port, also while no service runs."""

    def __init__(self, folder: Path, host: str = LOOPBACK) -> None:
        self._folder = folder
        self._started = 0
        self.socket = socket.create_server((host, 0), backlog=2048)

    @property
    def base_url(self) -> str:
        return f"http://{LOOPBACK}:{self.socket.getsockname()[1]}"

    @contextlib.asynccontextmanager
    async def service(
        self, amqp_url: str, *options: str, drain_seconds: float = 1.0
    ) -> AsyncIterator[Process]:
        """`coordinator serve` with the socket, yielded once it has said that it is ready."""
        self._started += 1
        name = f"service-{self._started}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
            ear.bind(str(self._folder / f"{name}.notify"))
            ear.setblocking(False)
            environment = {
                "NOTIFY_SOCKET": ear.getsockname(),
                "COORDINATOR_DRAIN_SECONDS": str(drain_seconds),
            }
            command = [sys.executable, "-m", "coordinator", "serve", "--amqp-url", amqp_url]
            command += ["--data-dir", str(self._folder / "data"), *options]
            async with spawned(
                *(sys.executable, "-c", PASS_ON, str(self.socket.fileno()), *command),
                output=self._folder / f"{name}.out",
                environment=environment,
                pass_fds=[self.socket.fileno()],
            ) as process:
                heard = asyncio.create_task(asyncio.get_running_loop().sock_recv(ear, 64))
                ended = asyncio.create_task(process.wait(within=120))
                await asyncio.wait([heard, ended], return_when=asyncio.FIRST_COMPLETED)
                if not heard.done():
                    heard.cancel()
                    raise AssertionError(f"the service ended with {process.printed!r}")
                assert heard.result() == b"READY=1"
                ended.cancel()
                yield process
