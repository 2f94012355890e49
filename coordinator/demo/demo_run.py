"""Runs the demo once: looks for agents, submits, watches until all tasks have ended, and tells how."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from datetime import timedelta
from typing import Any, TypeVar

import httpx
from rich.console import Console

from coordinator.errors import OperatorError
from coordinator.protocol.requirements import Profile, Requirements

from .api_client import ApiClient
from .demo_tasks import Order, mixed_batch
from .live_output import show_output
from .terminal_screen import Screen
from .watched_tasks import WatchedTask, WatchedTasks

__all__ = ["run"]

Result = TypeVar("Result")

AT_ONCE = 24
"""Requests in flight."""
PAUSE = timedelta(milliseconds=150)
"""Between two rounds of questions."""
PATIENCE = timedelta(seconds=60)
"""For a batch in which nothing changes."""


def run(
    base_url: str,
    *,
    key: str | None = None,
    count: int = 40,
    live: bool = True,
    patience: timedelta = PATIENCE,
    console: Console | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> int:
    """Submit ``count`` tasks to the coordinator at ``base_url`` and show them until all have ended. ``key``
    is for one that asks for it.

    ``live`` draws a table where the output is a terminal. The exit status is 1 if a task did not
    complete, or if nothing changed for as long as ``patience``. Raises `OperatorError` with one
    line where there is no coordinator, it asks for another key, or no agent could do any of the work.
    """
    return asyncio.run(
        _run(
            ApiClient(base_url, key=key, transport=transport),
            count=count,
            live=live,
            patience=patience,
            console=console or Console(highlight=False),
        )
    )


async def _run(
    client: ApiClient, *, count: int, live: bool, patience: timedelta, console: Console
) -> int:
    watched = WatchedTasks()
    screen = Screen(console, watched, live=live)
    async with client:
        await client.health()
        agents = await client.agents()
        orders = _orders(agents, count)
        screen.line(
            f"{len(orders)} tasks for {len(agents)} agents: "
            + ", ".join(sorted(agent.agent_id for agent in agents))
        )
        screen.heading()
        watched.expected = len(orders)
        with screen.showing():
            in_time = await _submit_and_watch(client, orders, screen, watched, patience)
        screen.summary()
        heard = not in_time or await show_output(client, agents, screen)
    bad = [row for row in watched.rows if not row.well]
    if not in_time:
        screen.line(f"Nothing changed for {patience.total_seconds():.0f} s: gave up", "bold red")
    elif bad:
        screen.line(f"{len(bad)} of {len(watched.rows)} tasks did not complete", "bold red")
    elif not heard:
        screen.line("All but the one that was read aloud completed", "bold red")
    else:
        screen.line(f"All {len(watched.rows)} tasks completed", "bold green")
    return 1 if bad or not heard else 0


def _orders(agents: list[Profile], count: int) -> list[Order]:
    if not agents:
        raise OperatorError(
            "No agents are registered: `make run` and `coordinator up` start some, "
            "and `python -m consumers.examples --list` names them"
        )

    def possible(requirements: Requirements) -> bool:
        return any(agent.satisfies(requirements) for agent in agents)

    return mixed_batch(count, possible)


async def _submit_and_watch(
    client: ApiClient,
    orders: list[Order],
    screen: Screen,
    watched: WatchedTasks,
    patience: timedelta,
) -> bool:
    """What runs already is shown while the rest is submitted; False if nothing changes any more."""
    submitting = asyncio.create_task(_submit(client, orders, watched))
    try:
        return await _watch(client, watched, screen, patience, submitting)
    finally:
        submitting.cancel()
        await asyncio.gather(submitting, return_exceptions=True)


async def _submit(client: ApiClient, orders: list[Order], watched: WatchedTasks) -> None:
    """Keep the order of the batch, but a few requests in flight."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(order: Order) -> None:
        async with gate:
            task_id = await client.submit(order)
        watched.rows.append(WatchedTask(order=order, task_id=task_id))

    await _all(one(order) for order in orders)


async def _watch(
    client: ApiClient,
    watched: WatchedTasks,
    screen: Screen,
    patience: timedelta,
    submitting: asyncio.Task[None],
) -> bool:
    """Ask for every open task until all are submitted and have ended; False if nothing changes any more. What
    ``submitting`` raises, this does.
    """
    loop = asyncio.get_running_loop()
    gate = asyncio.Semaphore(AT_ONCE)
    last_change = loop.time()

    async def one(row: WatchedTask) -> bool:
        async with gate:
            return watched.update(row, await client.task(row.task_id))

    known = 0
    while watched.open or not submitting.done():
        changed = any(await _all(one(row) for row in watched.open))
        if changed or len(watched.rows) > known:
            known = len(watched.rows)
            last_change = loop.time()
            screen.changed()
        elif loop.time() - last_change > patience.total_seconds():
            return False
        if submitting.done():
            submitting.result()
        await asyncio.sleep(PAUSE.total_seconds())
    await submitting
    return True


async def _all(works: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    """Run all; the first error ends the rest and is raised as itself, not in a group."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
