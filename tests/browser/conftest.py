"""The whole service on a real broker, with an agent that can do a bit of everything, and a browser's tab."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from consumers import Agent, Task
from coordinator.bootstrap import Coordinator, Replacements, running
from coordinator.client import AsyncClient
from coordinator.commands.observability.examined_service import examined_service
from coordinator.settings import Settings
from coordinator.web_server.http_server import serving
from coordinator.web_server.server_socket import address, bind
from tests.support.broker import Broker
from tests.support.browsing import Tab, chromium, find_chromium
from tests.support.sources import must_have_a_broker

MISSING = "no Chromium at hand: run tests/browser/install.sh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """A service that is looked at."""

    url: str
    client: AsyncClient
    coordinator: Coordinator
    amqp_url: str
    folder: Path
    go_on: asyncio.Event
    """What tasks of the type `waits` wait for."""

    def agent(self, agent_id: str = "clerk") -> Agent:
        agent = Agent(agent_id, amqp_url=self.amqp_url, cache_dir=self.folder / agent_id, slots=10)

        @agent.task("square")
        async def square(task: Task) -> int:
            return int(task.data["n"]) ** 2

        @agent.task("fails")
        async def fails(task: Task) -> None:
            if task.data.get("mended"):
                return
            raise ValueError("the ledger has no page 7")

        @agent.task("waits")
        async def waits(task: Task) -> str:
            await task.emit("one word, ")
            await self.go_on.wait()
            await task.emit("and another")
            return "told"

        @agent.task("asks")
        async def asks(task: Task) -> Any:
            return await task.ask(task.data["question"])

        return agent


@asynccontextmanager
async def looked_at(
    amqp_url: str, folder: Path, *, examined: bool = False, **settings: Any
) -> AsyncIterator[Looked]:
    """``examined``: the service tells what the doctor finds, as one of `coordinator serve` does."""
    given = Settings(amqp_url=amqp_url, data_dir=folder, **settings)
    watched = examined_service(Replacements(), given) if examined else Replacements()
    async with running(given, watched) as coordinator:
        await coordinator.ready()
        listener = bind("127.0.0.1", 0)
        url = address(listener)
        async with (
            serving(coordinator.app, listener, stopping=coordinator.stop_streams),
            AsyncClient(url, key="") as client,
        ):
            yield Looked(
                url=url,
                client=client,
                coordinator=coordinator,
                amqp_url=amqp_url,
                folder=folder,
                go_on=asyncio.Event(),
            )


@pytest.fixture
def browser_at_hand() -> None:
    if find_chromium() is None:
        pytest.fail(MISSING) if must_have_a_broker() else pytest.skip(MISSING)


@pytest.fixture
async def looked(broker: Broker, tmp_path: Path, browser_at_hand: None) -> AsyncIterator[Looked]:
    """A service that asks nobody for a key."""
    async with looked_at(broker.url, tmp_path) as service:
        yield service


@pytest.fixture
async def tab(looked: Looked) -> AsyncIterator[Tab]:
    """Where anything went wrong in it, the test has failed."""
    async with chromium() as browser:
        tab = Tab(await browser.new_page(), looked.url)
        yield tab
        assert tab.wrong == []
