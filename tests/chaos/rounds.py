"""One round: load and faults run side by side, then all comes to rest and is judged."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiormq
import httpx

from coordinator.broker.asyncio_cancel import cancel_and_wait
from coordinator.protocol.topology import LOG, REQUESTS, UNROUTED
from coordinator.registry.ledger.ledger import Ledger
from tests.chaos.book import Book
from tests.chaos.executions import Record
from tests.chaos.faults import Faults, Injected, say
from tests.chaos.kinds import Targets, possible_faults
from tests.chaos.load import Load
from tests.chaos.nodes import Nodes
from tests.chaos.outputs import unanswered_publishes
from tests.chaos.people import People
from tests.chaos.plan import Plan
from tests.chaos.system import System, started
from tests.chaos.table import TABLE, Row, by_kind, longest_gap
from tests.chaos.verdict import Verdict, judge, under_way
from tests.chaos.workload import Wish, every_slot, one_for_each_queue, one_of_each_kind, wishes
from tests.e2e.processes import client
from tests.support.waiting import eventually

__all__ = ["one_round"]

BACKLOG = 3000
"""Tasks accepted and not begun, beyond which producers wait."""

AHEAD = 0.1
"""How far, of the whole, load and faults may be ahead of each other."""

NUDGE_EVERY = 20
"""Seconds."""

RESTED = 400.0
"""Seconds within which everything comes to rest after the last fault."""

FIRST_SECOND = 2.0
"""Seconds. A node that is alone forgets a queue that was declared right before it is killed, which
docs/operations/data.md tells; the promise is for queues that are older."""


async def one_round(plan: Plan, nodes: Nodes, folder: Path, database_url: str) -> None:
    """``nodes`` run, ``database_url`` is of an empty ledger. Fails where anything is amiss."""
    print(f"CHAOS_SEED={plan.seed}: {plan.faults} faults, {plan.tasks} tasks on {nodes.version}")
    rng = random.Random(plan.seed)
    book = Book()
    record = Record(folder / "executions")
    async with started(
        nodes, folder, database_url, rng=rng, attempt_lost_after=plan.attempt_lost_after
    ) as system:
        say("all started")
        people = People(system.urls, book, rng=random.Random(rng.random()))
        async with people.answering(), Ledger(database_url) as ledger:
            load, faults = await _load_and_faults(plan, system, book, record, rng)
            say("the load is over")
            await _ended(ledger, book, load)
        async with Ledger(database_url) as ledger:
            for url in system.urls:
                await eventually(partial(_is_back, url), timeout=RESTED)
            say("every slot is given a task, all at once")
            await _proved(every_slot(), ledger, book, load)
            await eventually(lambda: _nothing_waits(system), timeout=RESTED)
            say("everything has ended")
            stats = [await _statistics(url) for url in system.urls]
            await system.stop_agents()
            broker = nodes.first.amqp_url
            await eventually(lambda: _all_empty(broker, LOG, REQUESTS, UNROUTED), timeout=RESTED)
            await system.stop_coordinators()
            record.read()
            say("all stopped")
            unanswered = unanswered_publishes(folder, system.coordinators)
            verdict = await judge(
                ledger,
                book,
                record,
                faults,
                unanswered=unanswered,
                attempt_lost_after=plan.attempt_lost_after,
            )
    _compare(verdict, stats)
    _report(nodes.version, verdict, book, record, faults)
    for problem in verdict.problems:
        say(f"amiss: {problem}")  # a long run tells of it at its end only
    assert not verdict.problems, "\n".join(verdict.problems)


async def _load_and_faults(
    plan: Plan, system: System, book: Book, record: Record, rng: random.Random
) -> tuple[Load, Sequence[Injected]]:
    targets = Targets(
        agents=system.agents,
        coordinators=system.coordinators,
        nodes=system.nodes,
        proxies=system.proxies,
        echo=system.echo,
        patient=plan.patient,
    )
    faults = Faults(
        possible_faults(targets),
        rng=random.Random(rng.random()),
        may_go_on=lambda: len(book.accepted) / plan.tasks + AHEAD >= done(),
    )

    def done() -> float:
        return len(faults.injected) / plan.faults

    def room() -> bool:
        return len(book.accepted) - len(record.by_task) < BACKLOG

    load = Load(
        system.urls,
        wishes(random.Random(rng.random()), loses=plan.patient),
        book,
        rng=random.Random(rng.random()),
        has_room=room,
        is_ahead=lambda: len(book.accepted) / plan.tasks > done() + AHEAD,
    )
    async with load.running(), _reading(record):
        await load.submit_all(one_for_each_queue())
        await asyncio.sleep(FIRST_SECOND)
        say("every queue is open")
        await load.submit_all(one_of_each_kind())
        await faults.run(plan.faults)
        await eventually(lambda: len(book.accepted) >= plan.tasks, timeout=RESTED)
    return load, faults.injected


@asynccontextmanager
async def _reading(record: Record) -> AsyncIterator[None]:
    """Follow what the agents do, for as long as the block lasts."""

    async def follow() -> None:
        while True:
            record.read()
            await asyncio.sleep(0.2)

    async with asyncio.TaskGroup() as group:  # what cannot be followed ends the round at once
        following = group.create_task(follow())
        try:
            yield
        finally:
            await cancel_and_wait(following)


# --- coming to rest ---------------------------------------------------------------------------


async def _ended(ledger: Ledger, book: Book, load: Load) -> None:
    """Whoever waits for others to overtake it (docs/decisions/0012) is given some."""
    deadline = time.monotonic() + RESTED
    nudges = 0
    while left := await under_way(ledger, book):
        assert time.monotonic() < deadline, f"{len(left)} tasks or more do not end: {left}"
        nudges += 1
        if nudges % NUDGE_EVERY == 0:
            async with load.running(producers=0):
                await load.submit_all(one_for_each_queue(nudges))
        await asyncio.sleep(1)


async def _proved(wishes: Sequence[Wish], ledger: Ledger, book: Book, load: Load) -> None:
    """These end as well."""
    async with load.running(producers=0):
        await load.submit_all(wishes)
    await _ended(ledger, book, load)


async def _is_back(url: str) -> bool:
    """A coordinator that was killed last may be starting still when all is done without it."""
    async with client(url) as http:
        try:
            return (await http.get("/health/ready")).status_code == 200
        except httpx.TransportError:
            return False


async def _statistics(url: str) -> dict[str, Any]:
    async with client(url) as http:
        answer = await http.get("/tasks/status")
        answer.raise_for_status()
        stats: dict[str, Any] = answer.json()["stats"]
        return stats


async def _nothing_waits(system: System) -> bool:
    """What was cancelled on its queue lies there until an agent has taken it."""
    sizes = (await _statistics(system.urls[0]))["queue_sizes"]
    return not any(sizes.values())


async def _all_empty(url: str, *queues: str) -> bool:
    connection = await aiormq.connect(url)
    try:
        channel = await connection.channel()
        depths = [(await channel.queue_declare(queue, passive=True)) for queue in queues]
        return not any(depth.message_count for depth in depths)
    finally:
        await connection.close()


# --- what it came to --------------------------------------------------------------------------


def _compare(verdict: Verdict, stats: Sequence[dict[str, Any]]) -> None:
    """Every coordinator tells what the ledger holds."""
    for told in stats:
        for name, state in (("tasks_completed", "completed"), ("tasks_failed", "dead")):
            verdict.expect(
                told[name] == verdict.states[state],
                f"{name} is told as {told[name]}, and the ledger has {verdict.states[state]}",
            )


def _report(
    version: str, verdict: Verdict, book: Book, record: Record, faults: Sequence[Injected]
) -> None:
    print(f"states: {dict(verdict.states)}")
    print(f"answers: {dict(book.answers)}; {len(book.in_doubt)} left in doubt")
    slowest = {status: round(seconds, 1) for status, seconds in book.slowest.items()}
    print(f"the slowest answers, in seconds: {slowest}")
    print(f"{record.executions} executions, {len(verdict.extra)} of them again")
    again = Counter(one.kind if one else "an unknown answer" for one in verdict.extra)
    print(f"executed again because of: {dict(again)}")
    accepted = sorted(book.accepted_at)
    instants = [at for at, _ in accepted]
    ends = sorted(record.ends)
    lost = set(verdict.lost)
    rows = by_kind(faults, accepted=accepted, lost=lost, again=verdict.extra, ends=ends)
    span = (faults[0].began, instants[-1])
    total = Row(
        injected=len(faults),
        accepted=len(accepted),
        lost=len(lost),
        again=len(verdict.extra),
        accepting_gap=longest_gap(instants, *span),
        working_gap=longest_gap(ends, *span),
    )
    TABLE.add(version, rows, total)
    TABLE.write()
