"""The service and agents as real processes, and a small client for the API."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from coordinator.parent_death import die_with
from tests.support.trusted_certificates import trusted_certificates
from tests.support.waiting import eventually

__all__ = ["Process", "agent_process", "client", "ready", "service", "spawned"]

ROOT = Path(__file__).resolve().parents[2]
LISTENING = re.compile(r"listening on (http://[^\s\"]+)")


class Process:
    """A child process whose output is kept, to be read and to be shown when a test fails."""

    def __init__(self, process: asyncio.subprocess.Process, output: Path) -> None:
        self._process = process
        self._output = output

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.returncode is not None

    @property
    def printed(self) -> str:
        return self._output.read_text(errors="replace")

    async def prints(self, pattern: re.Pattern[str], *, within: float = 120) -> re.Match[str]:
        """Wait until the output matches; fails at once when the process has ended without."""

        def matched() -> re.Match[str] | None:
            found = pattern.search(self.printed)
            if found is None and self.ended:
                raise AssertionError(f"the process ended with {self.printed!r}")
            return found

        return await eventually(matched, timeout=within)

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def wait(self, *, within: float = 60) -> int:
        async with asyncio.timeout(within):
            return await self._process.wait()

    async def end(self) -> None:
        if not self.ended:
            self.signal(signal.SIGTERM)
            try:
                await self.wait(within=60)
            except TimeoutError:
                self.signal(signal.SIGKILL)
                await self.wait()
                raise AssertionError(f"had to be killed: {self.printed[-3000:]}") from None


@contextlib.asynccontextmanager
async def spawned(
    *command: str,
    output: Path,
    environment: Mapping[str, str] | None = None,
    folder: Path = ROOT,
    pass_fds: Sequence[int] = (),
) -> AsyncIterator[Process]:
    """Run ``command`` in ``folder`` for the length of the block; ends it with SIGTERM if it has not ended.
    Where this process is killed, the kernel kills it.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith("COORDINATOR_")
    }
    with output.open("wb") as sink:
        raw = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env=clean | dict(environment or {}),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            pass_fds=pass_fds,
            start_new_session=True,
            preexec_fn=die_with(os.getpid()),
        )
    process = Process(raw, output)
    try:
        yield process
    finally:
        await process.end()


@contextlib.asynccontextmanager
async def service(
    amqp_url: str,
    data_dir: Path,
    *,
    port: int = 0,
    environment: Mapping[str, str] | None = None,
    module: str = "coordinator",
    command: Sequence[str] | None = None,
    options: Sequence[str] = (),
) -> AsyncIterator[tuple[Process, str]]:
    """`coordinator serve` as a process, with these ``options`` as well; yields it and its base URL once it
    listens, which is before it is `ready` to take tasks. ``module`` is for one that does more than that, and
    ``command`` for another `coordinator` than that of this checkout.
    """
    command = [*(command or (sys.executable, "-m", module)), "serve"]
    command += ["--amqp-url", amqp_url, "--data-dir", str(data_dir), "--port", str(port)]
    command += options
    output = data_dir / "serve.out"
    async with spawned(*command, output=output, environment=environment) as process:
        found = await process.prints(LISTENING)
        yield process, found[1]


@contextlib.asynccontextmanager
async def agent_process(
    amqp_url: str,
    output: Path,
    agent_id: str,
    *,
    profile: Mapping[str, Sequence[str] | str] | None = None,
    slots: int = 2,
    work_ms: float = 0,
    clock_ahead: float = 0,
    whole_seconds: bool = False,
) -> AsyncIterator[Process]:
    """One agent of `tests/e2e/agents.py` with this profile, as a process; its clock is ahead by so many
    seconds, and tells ``whole_seconds`` only.
    """
    profile = profile or {}
    environment = {
        "COORDINATOR_AMQP_URL": amqp_url,
        "XDG_CACHE_HOME": str(output.parent / "cache"),
        "E2E_ID": agent_id,
        "E2E_TYPE": str(profile.get("agent_type", "worker")),
        "E2E_CAPABILITIES": ",".join(profile.get("capabilities", ())),
        "E2E_SERVICES": ",".join(profile.get("services", ())),
        "E2E_SLOTS": str(slots),
        "E2E_WORK_MS": str(work_ms),
        "E2E_CLOCK_AHEAD": str(clock_ahead),
    }
    if whole_seconds:
        environment["E2E_WHOLE_SECONDS"] = "1"
    command = [sys.executable, "-m", "consumers", "tests.e2e.agents:agent"]
    async with spawned(*command, output=output, environment=environment) as process:
        yield process


@contextlib.asynccontextmanager
async def client(base_url: str) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=32, max_keepalive_connections=32)
    async with httpx.AsyncClient(
        base_url=base_url,
        timeout=120,
        limits=limits,
        verify=trusted_certificates(),
        trust_env=False,
    ) as http:
        yield http


async def ready(http: httpx.AsyncClient) -> None:
    """Wait until tasks can be submitted."""

    async def is_ready() -> bool:
        return (await http.get("/health/ready")).status_code == 200

    await eventually(is_ready, timeout=60)


async def get(http: httpx.AsyncClient, path: str) -> dict[str, Any]:
    answer = await http.get(path)
    answer.raise_for_status()
    body: dict[str, Any] = answer.json()
    return body
