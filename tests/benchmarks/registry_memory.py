"""What a coordinator keeps in memory, by the agents that it knows and the tasks that it has seen."""

from __future__ import annotations

from .registry_feed import Feed, feeding
from .registry_http import connected
from .registry_ledgers import Contents
from .registry_process import resident_megabytes
from .registry_stage import SQLITE, Service, Stage
from .registry_table import Figure

__all__ = ["memory"]

AT_ONCE = 2000
"""Tasks sent before it is looked whether they are done."""

WARM_UP = 4000


async def memory(stage: Stage) -> list[Figure]:
    scale = stage.scale
    figures = [
        await _at_rest(stage, contents)
        for contents in (
            Contents(),
            *(Contents(agents=agents) for agents in scale.fleets),
            Contents(agents=scale.fleets[0], tasks=scale.stored_tasks),
        )
    ]
    async with (
        stage.filled(SQLITE, Contents()) as database,
        stage.broker() as amqp_url,
        stage.service(database, amqp_url) as service,
        feeding(amqp_url) as feed,
    ):
        done = await _pass(service, feed, WARM_UP, 0)
        before = resident_megabytes(service.process.pid)
        await _pass(service, feed, scale.passing_tasks, done)
        after = resident_megabytes(service.process.pid)
    figures.append(_figure(f"memory, {WARM_UP} tasks have passed", before))
    figures.append(_figure(f"memory, {scale.passing_tasks} more", after, aim="± 10 %"))
    return figures


async def _at_rest(stage: Stage, contents: Contents) -> Figure:
    async with (
        stage.filled(SQLITE, contents) as database,
        stage.broker() as amqp_url,
        stage.service(database, amqp_url) as service,
    ):
        async with connected(service.base_url) as client:
            for path in ("/agents?limit=100", "/tasks?limit=100", "/tasks/status"):
                await client.ask(path)
        return _figure(f"memory, {contents}", resident_megabytes(service.process.pid))


async def _pass(service: Service, feed: Feed, count: int, done: int) -> int:
    """Have ``count`` more tasks submitted and done, and the ledger know it."""
    async with connected(service.base_url) as client:
        for _ in range(0, count, AT_ONCE):
            await feed.pass_through(feed.tasks(AT_ONCE))
            done += AT_ONCE
            while (await client.ask("/tasks/status"))["stats"]["tasks_completed"] < done - AT_ONCE:
                continue
        while (await client.ask("/tasks/status"))["stats"]["tasks_completed"] < done:
            continue
    return done


def _figure(what: str, megabytes: float, *, aim: str = "") -> Figure:
    return Figure(what=what, unit="MB", rounds=[megabytes], aim=aim)
