"""Pages and questions over HTTP of a coordinator whose ledger has a million tasks of all kinds.

Each is asked again and again over one connection: of the API by every filter alone, by filters together of
which no task has all, and far down; and the pages of the dashboard, which is the same process. Then all of
them by turns over four connections, while tasks come and are done: how soon a submission is answered then,
how soon the ledger has it, and how much memory the coordinator takes.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from urllib.parse import quote

from coordinator.api.wire.fields import cursors
from coordinator.broker.asyncio_cancel import cancel_and_wait
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables.schema import micros

from .registry_feed import Feed, feeding
from .registry_http import Client, connected
from .registry_lag import LedgerWatch, lag_of
from .registry_mixture import APART, KEY, RARE, Mixture, task_id_of
from .registry_process import resident_megabytes
from .registry_stage import Service, Stage
from .registry_table import Figure, latencies

__all__ = ["pages"]

LONGEST = 1.0
"""Seconds that one question is repeated for in a round."""

READERS = 4
"""Connections that ask at the same time, while tasks come."""

DONE, SUBMITTED = 400, 100
"""Tasks a second meanwhile: those that agents do, and those that come over HTTP and wait."""

SUBMITTERS = 32
"""Connections."""

HALF_AN_HOUR = timedelta(minutes=30)

AIM = "< 200"

SETTINGS = {
    "COORDINATOR_METADATA_KEYS": KEY,
    # No queue holds the tasks of the ledger, and they are to stay what they are.
    "COORDINATOR_RECONCILE_AFTER": "0",
    "COORDINATOR_ATTEMPT_LOST_AFTER": "0",
}

FILTERS = (
    "",
    *("state=completed", "state=queued", "state=dead", "state=input_required"),
    "state=running&state=queued&state=waiting&state=scheduled",
    *("priority=urgent", "priority=normal&priority=low", "task_type=type-3", "task_type=rare"),
    *("agent=agent-000007", "capability=lane-3", "capability=nobody", "agent_type=nobody"),
    *("group=odd", "group=rare", "tag=common", "tag=rare"),
    *(f"metadata={KEY}%3Dacme", f"metadata={KEY}%3Drare"),
)
"""Of `GET /tasks`, each alone, or with another value of its own."""

TOGETHER = (
    "state=dead&task_type=type-3",
    "state=dead&task_type=rare",
    "state=completed&priority=urgent",
    "priority=low&task_type=type-7",
    "priority=normal&task_type=rare",
    "agent=agent-000007&priority=urgent",
    "capability=lane-3&state=input_required",
    "group=odd&priority=urgent",
    "group=even&tag=odd",
    "group=odd&agent=agent-000008",
    "tag=common&priority=urgent&task_type=type-3",
    "tag=odd&tag=even",
    f"tag=common&metadata={KEY}%3Drare",
    "state=completed&state=dead&priority=normal&task_type=rare",
)
"""Filters that no task, few, or only the oldest have all of."""


async def pages(stage: Stage) -> list[Figure]:
    mixture = Mixture(thousands=stage.scale.stored_tasks // 1000)
    figures: list[Figure] = []
    for kind in stage.kinds:
        async with (
            stage.mixed(kind, mixture) as database,
            stage.broker() as amqp_url,
            stage.service(database, amqp_url, SETTINGS) as service,
        ):
            memory = [resident_megabytes(service.process.pid)]
            asked = await _questions(service, mixture)
            found: dict[str, list[list[float]]] = {path: [] for path in asked}
            for _ in range(stage.scale.rounds):
                for path in asked:
                    found[path].append(await _ask(service, path, stage.scale.requests))
            figures += (
                latencies(f"{kind}, {_short(path)}", rounds, aim=AIM)
                for path, rounds in found.items()
            )
            memory.append(resident_megabytes(service.process.pid))
            async with feeding(amqp_url) as feed:
                reading: list[str]
                for reading in ([], asked):
                    figures += await _meanwhile(stage, database.url, service, feed, reading)
            memory.append(resident_megabytes(service.process.pid))
        figures += (
            Figure(what=f"{kind}, memory {when}", unit="MB", rounds=[megabytes])
            for when, megabytes in zip(_WHEN, memory, strict=True)
        )
    return figures


_WHEN = ("at first", "when all was read", "and while tasks came")


async def _questions(service: Service, mixture: Mixture) -> list[str]:
    """The paths that are asked for."""
    async with connected(service.base_url) as client:
        (newest,) = (await client.ask("/tasks?limit=1"))["tasks"]
        (dead, *_) = (await client.ask("/tasks/dead?limit=1"))["tasks"]
    end = datetime.fromisoformat(newest["submitted_at"])
    middle, last = (_cursor(end, mixture, place) for place in (mixture.tasks // 2, RARE))
    task = f"/tasks/{dead['task_id']}"
    return [
        *(f"/tasks?limit=50&{one}".rstrip("&") for one in (*FILTERS, *TOGETHER)),
        f"/tasks?limit=50&submitted_before={quote((end - HALF_AN_HOUR).isoformat())}",
        f"/tasks?limit=50&cursor={middle}",
        f"/tasks?limit=50&cursor={last}",
        f"/tasks?limit=50&state=completed&cursor={middle}",
        *("/tasks?limit=200", "/tasks/status", "/tasks/queues/stats", "/health"),
        *("/tasks/dead?limit=50", "/tasks/dead?limit=50&error_type=RareError"),
        *("/tasks/dead?limit=50&task_type=type-3", "/tasks/dead?limit=50&tag=odd"),
        *("/groups/odd", "/groups/rare", "/agents/agent-000007/tasks?limit=50"),
        *(task, f"{task}/events", f"{task}/explain"),
        *("/dashboard/", "/dashboard/dead", "/dashboard/questions", f"/dashboard{task}"),
        *(f"/dashboard/tasks?{one}" for one in (*FILTERS, *TOGETHER)),
        f"/dashboard/tasks?cursor={middle}",
        f"/dashboard/tasks?cursor={last}",
    ]


def _short(path: str) -> str:
    """Cursors and ids are of no interest."""
    return re.sub(r"(cursor=|submitted_before=|/tasks/(?=\d))[\w%.-]+", r"\1…", path)


def _cursor(end: datetime, mixture: Mixture, number: int) -> str:
    """Of the page that begins with the task before the ``number``-th."""
    at = end - (mixture.tasks - 1 - number) * APART
    return str(cursors.TASKS.write((micros(at), task_id_of(number))))


async def _ask(service: Service, path: str, times: int) -> list[float]:
    until = time.perf_counter() + LONGEST
    async with connected(service.base_url) as client:
        for _ in range(times):
            if time.perf_counter() > until:
                break
            await client.get(path)
        return client.seconds


# --- while tasks come -------------------------------------------------------------------------


async def _meanwhile(
    stage: Stage, url: str, service: Service, feed: Feed, asked: Sequence[str]
) -> list[Figure]:
    """How soon the ledger has what agents tell, and how soon a submission is answered, while all of
    ``asked`` is read by turns.
    """
    seconds = stage.scale.lag_seconds
    lags: list[list[float]] = []
    answers: list[list[float]] = []
    read: list[float] = []
    for _ in range(stage.scale.rounds):
        async with Ledger(url) as ledger, _reading(service, asked) as seconds_read:
            watch = LedgerWatch(ledger)
            lag, answered = await asyncio.gather(
                lag_of(seconds, feed, watch, rate=DONE, whole=True), _submit(service, seconds)
            )
            lags.append(lag)
            answers.append(answered)
            read.append(len(seconds_read()) / seconds)
    when = "pages are read" if asked else "nobody reads"
    return [
        latencies(f"  until in the ledger, {DONE} tasks/s done, {when}", lags),
        latencies(f"  until a submission is answered, {SUBMITTED}/s, {when}", answers),
        *([Figure(what="  pages read", unit="/s", rounds=read)] if asked else []),
    ]


@asynccontextmanager
async def _reading(
    service: Service, asked: Sequence[str]
) -> AsyncIterator[Callable[[], Sequence[float]]]:
    """Reads ``asked`` by turns over some connections; gives the seconds that each took so far."""
    paths = itertools.cycle(asked)
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(connected(service.base_url)) for _ in range(READERS)
        ]
        readers = [asyncio.create_task(_read(client, paths)) for client in clients if asked]
        try:
            yield lambda: [one for client in clients for one in client.seconds]
        finally:
            for reader in readers:
                await cancel_and_wait(reader)


async def _read(client: Client, paths: Iterator[str]) -> None:
    for path in paths:
        await client.get(path)


async def _submit(service: Service, seconds: float) -> list[float]:
    """So many a second, whether those before are answered or not, as far as there are connections."""
    body = {"task_data": {"task_type": "page-bench", "text": "x" * 120}}
    async with AsyncExitStack() as stack:
        free: asyncio.Queue[Client] = asyncio.Queue()
        clients = [
            await stack.enter_async_context(connected(service.base_url)) for _ in range(SUBMITTERS)
        ]
        for client in clients:
            free.put_nowait(client)

        async def submit(client: Client) -> None:
            await client.ask("/tasks/submit", body)
            free.put_nowait(client)

        due = began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            while due < began + seconds:
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                group.create_task(submit(await free.get()))
                due += 1 / SUBMITTED
        return [one for client in clients for one in client.seconds]
