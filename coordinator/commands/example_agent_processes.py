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
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from coordinator.environment import ENV_PREFIX, FILE
from coordinator.errors import OperatorError
from coordinator.private_folder import make_private_folder
from coordinator.rabbitmq_node.child_process import spawn

from .ports import Says

__all__ = ["ExampleAgent", "ExampleAgentProcesses", "example_agents"]

DRAIN_SECONDS = 5.0
"""For the tasks in hand; then the agents are told to hurry."""
HURRY_SECONDS = 3.0
"""For those that were told to hurry; then they are killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleAgent:
    """Describes one entry of ``python -m consumers.examples --list``."""

    agent_id: str
    target: str
    """What ``python -m consumers`` runs: ``module:agent``."""
    summary: str


async def example_agents(count: int | None = None) -> list[ExampleAgent]:
    """List the first ``count`` of the agents that the examples offer; past their number some are there
    twice, under ids of their own. None is each of them once. Raises `OperatorError`.
    """
    command = [sys.executable, "-m", "consumers.examples", "--list"]
    if count is not None:
        command += ["--count", str(count)]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )  # out of reach of the terminal's Ctrl-C, of which it would tell with a traceback
    printed, _ = await process.communicate()
    if process.returncode != 0:
        raise OperatorError("The example agents cannot be listed: is the package complete?")
    return [
        ExampleAgent(agent_id=one["agent_id"], target=one["target"], summary=one["summary"])
        for one in json.loads(printed)
    ]


class ExampleAgentProcesses:
    """Runs ``agents`` against ``amqp_url`` for as long as the block lasts.

    What they print goes to ``log_dir/<agent id>.log``. At the end each is asked to drain, then to
    hurry, and is killed only if it does neither; ``patience`` has the seconds for each.
    """

    def __init__(
        self,
        agents: Sequence[ExampleAgent],
        *,
        amqp_url: str,
        log_dir: Path,
        say: Says,
        patience: Sequence[float] = (DRAIN_SECONDS, HURRY_SECONDS),
    ) -> None:
        self._agents = agents
        self._environment = os.environ | {f"{ENV_PREFIX}AMQP_URL": amqp_url}
        self._environment.pop(f"{ENV_PREFIX}AMQP_URL{FILE}", None)
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
                [sys.executable, "-m", "consumers", agent.target, "--id", agent.agent_id],
                env=self._environment,
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
