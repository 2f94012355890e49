"""Where all are compared: one private broker, a virtual host for each, and their processes."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

import httpx

from coordinator.rabbitmq_node.embedded_node import EmbeddedNode
from tests.e2e.processes import LISTENING, Process, client, get, ready, service, spawned
from tests.support.management import ManagementApi
from tests.support.waiting import eventually

from .contestants import ALL, Contestant
from .processes import cpu_seconds
from .starts import Starts

__all__ = ["Arena", "Entry", "arena", "bench_python", "in_turn", "say"]

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
BATCH = 500
PATIENCE = 600.0
"""Seconds for whatever is waited for: a machine may be slow, and a figure is no test."""
CALM = 0.15
"""Of a core: what the broker takes at most with nothing to do, its management plugin included."""


def bench_python() -> str:
    """The interpreter of the environment with the peers in it."""
    found = Path(os.environ.get("BENCH_PYTHON", ROOT / ".venv-bench/bin/python"))
    if not found.exists():
        raise SystemExit(f"{found} is missing: use `make bench`, which installs the peers")
    return str(found)


def say(line: str) -> None:
    """How far it has come: beside the table, which may go to a file."""
    print(line, file=sys.stderr, flush=True)


def in_turn(entries: Sequence[T], number: int) -> list[T]:
    """All of them, in each round from another: nobody is always measured after the same one."""
    first = number % len(entries)
    return [*entries[first:], *entries[:first]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A contestant in the arena: its route answers."""

    contestant: Contestant
    base_url: str
    amqp_url: str
    folder: Path
    environment: dict[str, str]
    starts: Starts
    http: httpx.AsyncClient
    server: Process
    headers: dict[str, str]
    """Of each request: an API key, where it asks for one."""
    ready_after: float
    """Seconds from the start of its process until it was ready; until its route answered, of a peer."""

    @property
    def name(self) -> str:
        return self.contestant.name

    async def fill(self, count: int, *, seconds: float = 0.0) -> None:
        """Queue ``count`` tasks that take ``seconds`` each."""
        data = {"task_type": "work", "sent": 0.0, "seconds": seconds, "text": "x" * 120}
        if self.contestant.peer:
            body = {"count": count, "task_data": data}
            (await self.http.post("/fill", json=body, timeout=PATIENCE)).raise_for_status()
            return
        before = await self._stat("tasks_distributed")
        task = {"task_data": data, "priority": "low"}
        for start in range(0, count, BATCH):
            tasks = {"tasks": [task] * min(BATCH, count - start)}
            answer = await self.http.post("/tasks/submit/batch", json=tasks, timeout=PATIENCE)
            assert answer.json()["accepted"] == len(tasks["tasks"]), answer.text
        await self._until("tasks_distributed", before + count)

    async def settled(self) -> None:
        """Return when nothing is left to do in the background."""
        if self.contestant.peer:
            return

        async def counted() -> tuple[int, int]:
            stats = (await get(self.http, "/tasks/status"))["stats"]
            return stats["tasks_distributed"], stats["tasks_completed"]

        async def still() -> bool:
            before = await counted()
            await asyncio.sleep(0.3)
            return await counted() == before

        await eventually(still, timeout=PATIENCE)

    async def completed(self) -> int:
        return await self._stat("tasks_completed")

    async def until_completed(self, count: int) -> None:
        """The ledger has so many ends of tasks."""
        await self._until("tasks_completed", count)

    @asynccontextmanager
    async def workers(self, processes: int, *, slots: int) -> AsyncIterator[list[Process]]:
        async with AsyncExitStack() as stack:
            started: list[Process] = []
            for number in range(processes):
                output = self.folder / f"worker-{next(_numbers)}.out"
                environment = self.environment | {
                    "BENCH_AGENT": f"bench-{number}",
                    "BENCH_SLOTS": str(slots),
                    "BENCH_PREFETCH": str(slots),
                }
                process = spawned(
                    *self._worker(slots),
                    output=output,
                    environment=environment,
                    folder=self.contestant.root,
                )
                started.append(await stack.enter_async_context(process))
            yield started

    def _worker(self, slots: int) -> Sequence[str]:
        if not self.contestant.peer:
            return (
                self.contestant.python,
                "-m",
                "consumers",
                "tests.benchmarks.agent_under_test:agent",
            )
        assert self.contestant.worker is not None
        return (bench_python(), "-m", *self.contestant.worker(slots))

    async def _stat(self, name: str) -> int:
        return int((await get(self.http, "/tasks/status"))["stats"][name])

    async def _until(self, name: str, value: int) -> None:
        async def reached() -> bool:
            return await self._stat(name) >= value

        await eventually(reached, timeout=PATIENCE)


class Arena:
    """``folder`` and all in it go with it."""

    def __init__(
        self,
        node: EmbeddedNode,
        management: ManagementApi,
        folder: Path,
        compared: Sequence[Contestant] = ALL,
    ) -> None:
        self.node = node
        self.compared = tuple(compared)
        """Who takes part."""
        self._management = management
        self._folder = folder

    @asynccontextmanager
    async def place(self, name: str) -> AsyncIterator[tuple[Path, str]]:
        """A folder, and the address of a virtual host, for one who is measured."""
        number = next(_numbers)
        folder = self._folder / f"{name}-{number}"
        folder.mkdir(parents=True)
        vhost = f"bench-{number}"
        await self._management.create_vhost(vhost)
        parts = urlsplit(self.node.amqp_url)
        try:
            yield folder, urlunsplit(parts._replace(path="/" + quote(vhost, safe="")))
        finally:
            await self._management.delete("vhosts", vhost)

    @asynccontextmanager
    async def entry(
        self, contestant: Contestant, *, workers: int = 1, priorities: bool = False
    ) -> AsyncIterator[Entry]:
        """Start the contestant's route, with ``workers`` processes, on a virtual host of its own."""
        async with AsyncExitStack() as stack:
            folder, amqp_url = await stack.enter_async_context(self.place(contestant.name))
            starts = Starts(folder / "starts")
            environment = {
                "BENCH_AMQP_URL": amqp_url,
                "BENCH_STARTS": str(starts.path),
                "BENCH_PRIORITIES": "yes" if priorities else "no",
                "COORDINATOR_AMQP_URL": amqp_url,
                "XDG_CACHE_HOME": str(folder / "cache"),
                "PYTHONPATH": str(contestant.root),
            }
            headers = await _key(folder / "service") if contestant.keyed else {}
            began = time.perf_counter()
            if contestant.peer:
                command = (bench_python(), "-m", "tests.benchmarks.peers.http", contestant.peer)
                output = folder / "http.out"
                server = await stack.enter_async_context(
                    spawned(*command, output=output, environment=environment)
                )
                base_url = (await server.prints(LISTENING))[1]
            else:
                server, base_url = await stack.enter_async_context(
                    service(
                        amqp_url,
                        folder / "service",
                        command=contestant.command,
                        environment={
                            "COORDINATOR_HTTP_WORKERS": str(workers),
                            "COORDINATOR_MAX_QUEUED_TASKS": "10000000",
                            "COORDINATOR_AUTH": "required" if contestant.keyed else "off",
                            "COORDINATOR_METRICS": "true" if contestant.counted else "false",
                        },
                    )
                )
            http = await stack.enter_async_context(client(base_url))
            http.headers.update(headers)
            if not contestant.peer:
                await ready(http)
            yield Entry(
                contestant=contestant,
                base_url=base_url,
                amqp_url=amqp_url,
                folder=folder,
                environment=environment,
                starts=starts,
                http=http,
                server=server,
                headers=headers,
                ready_after=time.perf_counter() - began,
            )

    async def calm(self, entry: Entry) -> None:
        """Return when nothing is left to do in the background: for the entry, and for the broker, which
        writes for seconds after a great many messages came in.
        """
        await entry.settled()

        async def still() -> bool:
            before = cpu_seconds(self.node.pid)
            await asyncio.sleep(1)
            return cpu_seconds(self.node.pid) - before < CALM

        await eventually(still, timeout=PATIENCE)

    @asynccontextmanager
    async def entries(
        self, contestants: Sequence[Contestant], *, priorities: bool = False
    ) -> AsyncIterator[list[Entry]]:
        """All at once, so that rounds can alternate between them."""
        async with AsyncExitStack() as stack:
            yield [
                await stack.enter_async_context(self.entry(one, priorities=priorities))
                for one in contestants
            ]


@asynccontextmanager
async def arena(folder: Path, compared: Sequence[Contestant] = ALL) -> AsyncIterator[Arena]:
    """A private node, gone at the end, for those who are ``compared``."""
    async with EmbeddedNode(folder / "rabbitmq", say=say, standard_ports=False) as node:
        say(f"RabbitMQ {node.version}")
        api = ManagementApi(node.management_url, username=node.username, password=node.password)
        async with api:
            yield Arena(node, api, folder, compared)


async def _key(folder: Path) -> dict[str, str]:
    """The header with a key for everything, of the ledger in ``folder``."""
    command = ("keys", "create", "--name", "bench", "--role", "admin", "--data-dir", str(folder))
    made = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "coordinator", *command), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await made.communicate()
    return {"Authorization": f"Bearer {out.decode().strip()}"}


_numbers = itertools.count(1)
