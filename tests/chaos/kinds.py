"""The kinds of faults, on everything that a round runs on."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from tests.chaos.echo import Echo
from tests.chaos.faults import RESTARTED, Fault, say
from tests.chaos.members import Member
from tests.chaos.nodes import Nodes
from tests.chaos.proxy import Connection, Proxy
from tests.chaos.workload import FOREIGN
from tests.support.waiting import eventually

__all__ = ["Targets", "possible_faults"]

Inject = Callable[[random.Random], Awaitable[None]]

AT_WORK = re.compile("at work")

SLOW = 20_000
"""Bytes in a second of a slow connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What there is to be harmed."""

    agents: Mapping[str, Member]
    coordinators: Mapping[str, Member]
    nodes: Nodes
    proxies: Mapping[str, Proxy]
    """By the name of the agent or the coordinator that goes through it."""
    echo: Echo
    patient: bool = False
    """Whether some things hang for longer than heartbeats allow."""

    def long(self, rng: random.Random) -> float:
        """Seconds for which something hangs."""
        chance = rng.random()
        if chance < 0.65:
            return rng.uniform(0.2, 3.0)
        if chance < 0.9 or not self.patient:
            return rng.uniform(3.0, 14.0)
        return rng.uniform(35.0, 50.0)


def possible_faults(targets: Targets) -> list[Fault]:
    return [
        *_of_agents(targets),
        *_of_coordinators(targets),
        *_of_nodes(targets),
        *_of_connections(targets),
        Fault(
            kind="events duplicated",
            target="echo",
            weight=2,
            inject=lambda _: targets.echo.say_again(),
        ),
    ]


def _of_agents(targets: Targets) -> Iterable[Fault]:
    for name, agent in targets.agents.items():
        hit = frozenset({name})
        yield Fault(kind="agent killed", target=name, weight=1.5, inject=_killed(agent), agents=hit)
        yield Fault(
            kind="agent suspended",
            target=name,
            weight=1,
            inject=_suspended(targets, agent),
            agents=hit,
        )
        yield Fault(kind=RESTARTED, target=name, weight=1, inject=_restarted(agent))


def _of_coordinators(targets: Targets) -> Iterable[Fault]:
    for name, coordinator in targets.coordinators.items():
        yield Fault(kind="coordinator killed", target=name, weight=2, inject=_killed(coordinator))
        yield Fault(
            kind="coordinator suspended",
            target=name,
            weight=1.5,
            inject=_suspended(targets, coordinator),
        )


def _of_nodes(targets: Targets) -> Iterable[Fault]:
    """One at a time: a cluster without its majority is no cluster."""
    everyone = frozenset((*targets.agents, FOREIGN))
    what = "broker" if len(targets.nodes) == 1 else "cluster node"
    for kind, inject in (
        (f"{what} killed", _node_killed(targets)),
        (f"{what} suspended", _node_suspended(targets)),
    ):
        yield Fault(kind=kind, target="nodes", weight=1.5, inject=inject, agents=everyone)


def _of_connections(targets: Targets) -> Iterable[Fault]:
    for name, proxy in targets.proxies.items():
        hit = frozenset({name}) & targets.agents.keys()
        for kind, inject in (
            ("connection cut", _cut(proxy)),
            ("connection stalled", _stalled(targets, proxy)),
            ("connection slowed", _slowed(proxy)),
        ):
            yield Fault(kind=kind, target=f"proxy of {name}", weight=0.5, inject=inject, agents=hit)


def _killed(member: Member) -> Inject:
    async def inject(rng: random.Random) -> None:
        await member.kill()
        await asyncio.sleep(rng.uniform(0.0, 1.0))
        await member.start()

    return inject


def _restarted(member: Member) -> Inject:
    """As for a new version of it: nothing may be done twice because of that."""

    async def inject(rng: random.Random) -> None:
        await member.prints(AT_WORK)  # before that a signal ends it as it ends any program
        await member.stop()
        await asyncio.sleep(rng.uniform(0.0, 1.0))
        await member.start()

    return inject


def _suspended(targets: Targets, member: Member) -> Inject:
    async def inject(rng: random.Random) -> None:
        member.suspend()
        await asyncio.sleep(targets.long(rng))
        member.resume()

    return inject


def _node_killed(targets: Targets) -> Inject:
    async def inject(rng: random.Random) -> None:
        number = rng.randrange(len(targets.nodes))
        await targets.nodes.kill(number)
        await asyncio.sleep(rng.uniform(0.0, 2.0))
        await targets.nodes.start(number)

    return inject


def _node_suspended(targets: Targets) -> Inject:
    async def inject(rng: random.Random) -> None:
        number = rng.randrange(len(targets.nodes))
        await targets.nodes.suspend(number)
        await asyncio.sleep(targets.long(rng))
        await targets.nodes.resume(number)
        if await targets.nodes.reconcile(number):
            say("the nodes of the cluster stayed apart: the one that hung was started again")

    return inject


def _cut(proxy: Proxy) -> Inject:
    async def inject(rng: random.Random) -> None:
        (await _one(proxy, rng)).cut()

    return inject


def _stalled(targets: Targets, proxy: Proxy) -> Inject:
    async def inject(rng: random.Random) -> None:
        connection = await _one(proxy, rng)
        connection.stall()
        await asyncio.sleep(targets.long(rng))
        connection.recover()

    return inject


def _slowed(proxy: Proxy) -> Inject:
    async def inject(rng: random.Random) -> None:
        connection = await _one(proxy, rng)
        connection.slow(SLOW)
        await asyncio.sleep(rng.uniform(2.0, 10.0))
        connection.recover()

    return inject


async def _one(proxy: Proxy, rng: random.Random) -> Connection:
    """Waits where the client has none at this moment."""
    return rng.choice(await eventually(lambda: proxy.connections, timeout=120))
