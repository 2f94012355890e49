"""Looks at each page of the dashboard with a fleet at work, and keeps what was seen, in
`docs/guides/dashboard`: `make screenshots`.

It starts a RabbitMQ of its own, the service and two agents, on loopback and for as long as it takes.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import random
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from PIL import Image

from consumers import Agent, Task
from coordinator.client import AsyncClient, Conflict
from coordinator.protocol.message import Message
from coordinator.protocol.topology import EVENTS
from tests.support.broker import Node, own_node
from tests.support.browsing import Tab, chromium
from tests.support.sources import broker_sources
from tests.support.waiting import eventually

from .conftest import Looked, looked_at

FOLDER = Path(__file__).parents[2] / "docs" / "guides" / "dashboard"

SIZE = {"width": 1180, "height": 720}

TYPES = ("invoice", "letter", "index", "thumbnail")


def an_agent(looked: Looked, agent_id: str, **options: Any) -> Agent:
    agent = Agent(agent_id, amqp_url=looked.amqp_url, cache_dir=looked.folder / agent_id, **options)

    async def works(task: Task) -> dict[str, Any]:
        await asyncio.sleep(random.uniform(0.05, 0.6))
        return {"pages": task.data["n"] % 7 + 1}

    for name in TYPES:
        agent.task(name)(works)
    return agent


def an_archivist(looked: Looked) -> Agent:
    agent = an_agent(looked, "archivist", slots=4, capabilities=["scanning"], tags=["north"])

    @agent.task("scan")
    async def scan(task: Task) -> None:
        await asyncio.sleep(0.3)
        if task.data.get("torn"):
            raise ValueError(f"page {task.data['n']} is torn")
        raise TimeoutError("the scanner does not answer")

    @agent.task("transcribe")
    async def transcribe(task: Task) -> dict[str, Any]:
        if task.attempt == 1:
            await asyncio.sleep(1.5)
            raise TimeoutError("the page was not turned in time")
        words = "The book was the heart of it: each train had a line, and whoever looked could read along."
        for number, word in enumerate(itertools.cycle(words.split())):
            await task.emit(f"{word} ")
            await task.progress(min(0.95, number / 400), f"line {number // 10} of 40")
            await asyncio.sleep(0.05)
        return {}

    @agent.task("release")
    async def release(task: Task) -> Any:
        return await task.ask(
            {"question": f"Publish volume {task.data['n']}?", "choices": ["publish", "hold"]}
        )

    return agent


async def some_work(client: AsyncClient) -> None:
    backoff = {"first_seconds": 0.5}
    for n in range(11):
        scan = {"task_type": "scan", "n": n, "torn": n % 3 > 0}
        await client.submit(scan, max_attempts=2, backoff=backoff)
    for n in (3, 4):
        await client.submit({"task_type": "release", "n": n}, priority="high")
    await client.submit(
        {"task_type": "transcribe", "volume": "1911", "task_id": "transcribe-1911"},
        priority="urgent",
        backoff={"first_seconds": 1.0},
    )
    for n in range(14):
        await client.submit(
            {"task_type": "bind", "n": n},
            priority="low",
            requirements={"capabilities": ["binding"]},
        )
    await client.create_schedule(
        "0 3 * * *",
        {"task_type": "index", "n": 1},
        schedule_id="nightly-index",
        timezone="Europe/London",
    )
    await client.create_schedule(
        "*/5 * * * *", {"task_type": "invoice", "n": 1}, schedule_id="invoices"
    )
    await client.pause_schedule("invoices")


async def more_and_more(client: AsyncClient) -> None:
    """So that the curves have something to tell."""
    for n in itertools.count():
        priority = random.choice(["urgent", "high", "normal", "normal", "low"])
        await client.submit({"task_type": TYPES[n % 4], "n": n}, priority=priority)  # type: ignore[arg-type]
        await asyncio.sleep(random.uniform(0.02, 0.25))


@asynccontextmanager
async def a_broker(folder: Path) -> AsyncIterator[Node]:
    node = own_node(broker_sources()[-1], folder)
    await node.start()
    try:
        yield node
    finally:
        await node.stop()


async def look(looked: Looked, pages: Mapping[str, str], **context: Any) -> None:
    async with chromium(**context) as browser:
        tab = Tab(await browser.new_page(), looked.url)
        for name, path in pages.items():
            await tab.go(path)
            if path == "/":  # its curves come with time
                await asyncio.sleep(45)
            await asyncio.sleep(1.5)
            keep(name, await tab.page.screenshot())
        assert tab.wrong == []


def keep(name: str, seen: bytes) -> None:
    """In few colours, as a page has them, which takes a third of the bytes."""
    with Image.open(io.BytesIO(seen)) as image:
        few = image.convert("RGB").quantize(
            200, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
        )
        few.save(FOLDER / f"{name}.png", optimize=True)


async def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="screenshots-") as scratch:
        folder = Path(scratch)
        async with (
            a_broker(folder / "broker") as node,
            looked_at(
                node.amqp_url, folder / "data", examined=True, management_url=node.management_url
            ) as looked,
        ):
            agents = (
                an_archivist(looked),
                an_agent(looked, "clerk", slots=3, agent_type="processing"),
            )
            async with agents[0].running() as first, agents[1].running() as second:
                await asyncio.gather(first.registered(), second.registered())
                await some_work(looked.client)
                await looked.coordinator.publisher.publish(
                    Message(body=b'{"state": "done"}'), exchange=EVENTS, key="task.mallory.started"
                )
                await eventually(lambda: dead(looked))
                adding = asyncio.create_task(more_and_more(looked.client))
                await look(
                    looked,
                    {
                        "task": "/tasks/transcribe-1911",
                        "overview": "/",
                        "tasks": "/tasks",
                        "agents": "/agents",
                        "queues": "/queues",
                        "dead": "/dead",
                        "schedules": "/schedules",
                        "questions": "/questions",
                        "parked": "/parked",
                        "health": "/health",
                    },
                    viewport=SIZE,
                )
                await look(looked, {"overview-dark": "/"}, viewport=SIZE, color_scheme="dark")
                narrow = {"width": 360, "height": 720}
                await look(looked, {"tasks-narrow": "/tasks"}, viewport=narrow)
                adding.cancel()
                with suppress(asyncio.CancelledError):
                    await adding
                for task in await looked.client.tasks(state=["input_required", "running"]):
                    with suppress(Conflict):  # it may end by itself meanwhile
                        await looked.client.cancel(task.task_id)


async def dead(looked: Looked) -> bool:
    return (await looked.client.dead()).total == 11


if __name__ == "__main__":
    asyncio.run(main())
