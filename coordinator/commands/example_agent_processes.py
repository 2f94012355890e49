"""Runs the example agents of `coordinator up`, each in a process of its own, as agents always are.

This module knows of the agents only their command lines: ``python -m consumers.examples --list``
tells which there are, and ``python -m consumers TARGET --id AGENT_ID`` runs one.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from coordinator.environment import ENV_PREFIX
from coordinator.errors import OperatorError
from coordinator.private_folder import make_private_folder
from coordinator.rabbitmq_node.child_process import spawn

from .ports import Says

__all__ = ["ExampleAgent", "ExampleAgentProcesses", "example_agents"]

PYTHON_M = (sys.executable, "-P", "-m")
"""Not from the folder in which `coordinator up` is run: a file `consumers.py` may be there."""

DRAIN_SECONDS = 5.0
"""For the tasks in hand; then the agents are told to hurry."""
HURRY_SECONDS = 3.0
"""For those that were told to hurry; then they are killed."""

THEIRS = ("EXAMPLE_", "LC_", "OPENAI_", "OTEL_", "PYTHON", "SSL_CERT_", "XDG_")
"""How names of variables begin that go to the example agents: their own, Python's, the user's folders, and
where to send spans."""

OF_THE_SERVICE = frozenset({"OTEL_SERVICE_NAME"})

PROXIES = ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
ALSO_THEIRS = frozenset(
    {
        *PROXIES,
        *(name.lower() for name in PROXIES),
        *("HOME", "LANG", "LD_LIBRARY_PATH", "LOGNAME", "PATH", "TMPDIR", "TZ", "USER"),
        *(f"{ENV_PREFIX}{name}" for name in ("LOG_FORMAT", "LOG_LEVEL")),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleAgent:
    """Describes one entry of ``python -m consumers.examples --list``."""

    agent_id: str
    target: str
    """What ``python -m consumers`` runs: ``module:agent``."""
    summary: str
    agent_type: str = "worker"
    capabilities: tuple[str, ...] = ()
    services: tuple[str, ...] = ()


async def example_agents(count: int | None = None) -> list[ExampleAgent]:
    """List the first ``count`` of the agents that the examples offer; past their number some are there
    twice, under ids of their own. None is each of them once. Raises `OperatorError`.
    """
    command = [*PYTHON_M, "consumers.examples", "--list"]
    if count is not None:
        command += ["--count", str(count)]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )  # out of reach of the terminal's Ctrl-C, of which it would tell with a traceback
    printed, _ = await process.communicate()
    if process.returncode != 0:
        raise OperatorError("The example agents cannot be listed: is the package complete?")
    return [
        ExampleAgent(
            agent_id=one["agent_id"],
            target=one["target"],
            summary=one["summary"],
            agent_type=one["agent_type"],
            capabilities=tuple(one["capabilities"]),
            services=tuple(one["services"]),
        )
        for one in json.loads(printed)
    ]


class ExampleAgentProcesses:
    """Runs ``agents`` for as long as the block lasts, each against its own of ``amqp_urls``, by its id.

    What they print goes to ``log_dir/<agent id>.log``. At the end each is asked to drain, then to
    hurry, and is killed only if it does neither; ``patience`` has the seconds for each.
    """

    def __init__(
        self,
        agents: Sequence[ExampleAgent],
        *,
        amqp_urls: Mapping[str, str],
        log_dir: Path,
        say: Says,
        patience: Sequence[float] = (DRAIN_SECONDS, HURRY_SECONDS),
    ) -> None:
        self._agents = agents
        self._amqp_urls = amqp_urls
        self._environment = {name: os.environ[name] for name in os.environ if _is_for_agents(name)}
        self._log_dir = log_dir
        self._say = say
        self._patience = tuple(patience)
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._watches: list[asyncio.Task[None]] = []
        self._stopping = False

    async def __aenter__(self) -> Self:
        make_private_folder(self._log_dir)
        for agent in self._agents:
            process = await spawn(
                [*PYTHON_M, "consumers", agent.target, "--id", agent.agent_id],
                env=self._environment | {f"{ENV_PREFIX}AMQP_URL": self._amqp_urls[agent.agent_id]},
                output=self._log(agent.agent_id),
            )
            self._processes[agent.agent_id] = process
            self._watches.append(asyncio.create_task(self._watch(agent.agent_id, process)))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping = True
        for patience in self._patience:
            for process in self._running():
                process.send_signal(signal.SIGTERM)
            if self._watches:
                await asyncio.wait(self._watches, timeout=patience)
        for process in self._running():
            process.kill()
        if self._watches:
            await asyncio.wait(self._watches)

    def _running(self) -> list[asyncio.subprocess.Process]:
        return [process for process in self._processes.values() if process.returncode is None]

    def _log(self, agent_id: str) -> Path:
        return self._log_dir / f"{agent_id}.log"

    async def _watch(self, agent_id: str, process: asyncio.subprocess.Process) -> None:
        code = await process.wait()
        if not self._stopping:
            self._say(f"agent {agent_id} ended with code {code}: see {self._log(agent_id)}")


def _is_for_agents(name: str) -> bool:
    """Whether an example agent needs this variable. It is given none of the service's, which hold secrets."""
    return name in ALSO_THEIRS or (name.startswith(THEIRS) and name not in OF_THE_SERVICE)
