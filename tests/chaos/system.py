"""What a round runs on: coordinators, agents and the proxies through which some of them go.

producers ──HTTP──▶ two coordinators ──┬── proxies ──▶ RabbitMQ ◀── proxies ──┬── agents
                         one ledger ◀──┘                                      └─▶ executions
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.echo import Echo
from tests.chaos.execution_log import ExecutionLog
from tests.chaos.foreign import ForeignAgent
from tests.chaos.members import Member, a_coordinator, an_agent
from tests.chaos.nodes import Nodes
from tests.chaos.proxy import Proxy
from tests.chaos.workload import AGENTS, FOREIGN, SLOTS
from tests.support.ports import free_port

__all__ = ["System", "started"]

CLOCKS = {"ada": "20,0", "bob": "0,3"}
"""Agents whose clocks are ahead, and put right, or not, with each restart. None is behind: the verdict
asks which faults began before a task ended, and ends are kept by a coordinator's clock as far as it
knows the agent's, which it does after some beats."""

COORDINATORS = ("north", "south")
DIRECT = ("north", "ada")
"""They reach a node that is alone without a proxy, as most do: a proxy closes what it passes on in its
own way. A cluster is always reached through one, which finds a node that is up."""


@dataclass(slots=True, kw_only=True)
class System:
    """All of it runs, unless a fault is at work."""

    nodes: Nodes
    executions: Path
    agents: dict[str, Member] = field(default_factory=dict)
    coordinators: dict[str, Member] = field(default_factory=dict)
    proxies: dict[str, Proxy] = field(default_factory=dict)
    urls: list[str] = field(default_factory=list)
    """Where the coordinators are asked."""
    echo: Echo
    foreign: ForeignAgent

    async def stop_agents(self) -> None:
        for agent in self.agents.values():
            await agent.stop()

    async def stop_coordinators(self) -> None:
        for coordinator in self.coordinators.values():
            await coordinator.stop()


@asynccontextmanager
async def started(
    nodes: Nodes,
    folder: Path,
    database_url: str,
    *,
    rng: random.Random,
    attempt_lost_after: int,
) -> AsyncIterator[System]:
    """Whatever happens, nothing of it runs afterwards."""
    async with AsyncExitStack() as stack:
        own_way = await stack.enter_async_context(Proxy(nodes.ports, rng=rng))
        own_url = nodes.url_at(own_way.port)
        echo = await stack.enter_async_context(Echo(own_url))
        executions = folder / "executions"
        log = ExecutionLog(executions, FOREIGN)
        stack.callback(log.close)
        foreign = await stack.enter_async_context(ForeignAgent(FOREIGN, own_url, log))
        system = System(nodes=nodes, executions=executions, echo=echo, foreign=foreign)

        async def address(name: str) -> str:
            if len(nodes) == 1 and name in DIRECT:
                return nodes.url_at(nodes.ports()[0])
            proxy = await stack.enter_async_context(Proxy(nodes.ports, rng=rng))
            system.proxies[name] = proxy
            return nodes.url_at(proxy.port)

        for name in COORDINATORS:
            port = free_port()
            system.urls.append(f"http://127.0.0.1:{port}")
            system.coordinators[name] = a_coordinator(
                name,
                amqp_url=await address(name),
                port=port,
                folder=folder,
                database_url=database_url,
                attempt_lost_after=attempt_lost_after,
            )
        for name, capabilities in AGENTS.items():
            system.agents[name] = an_agent(
                name,
                amqp_url=await address(name),
                folder=folder,
                executions=system.executions,
                capabilities=capabilities,
                slots=SLOTS,
                clocks=CLOCKS.get(name, "0"),
            )
        for member in (*system.coordinators.values(), *system.agents.values()):
            stack.push_async_callback(member.end)
            await member.start()
        await foreign.start(system.urls)
        yield system
