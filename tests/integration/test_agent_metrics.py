"""An agent with a port for it tells Prometheus what it does, beside the service."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from consumers import Discard, RetryLater, Task
from coordinator.errors import OperatorError
from tests.support.broker import Broker
from tests.support.field import Field, any_lane
from tests.support.scraping import scrape
from tests.support.waiting import eventually

NORMAL = any_lane("normal")

pytestmark = pytest.mark.any_broker


PAGE = Path(__file__).resolve().parents[2] / "docs" / "operations" / "metrics.md"


def documented() -> set[str]:
    return set(re.findall(r"^\| `(coordinator_agent_[a-z_]+)` \|", PAGE.read_text(), re.MULTILINE))


@pytest.fixture
async def field(broker: Broker, tmp_path: Path) -> AsyncIterator[Field]:
    async with Field(broker.url, tmp_path) as field:
        await field.open(NORMAL)
        yield field


async def test_attempts_are_counted_by_type_and_end_and_slots_are_told(field: Field) -> None:
    agent = field.agent("worker-1", slots=3, metrics_port=0)
    began, release = asyncio.Event(), asyncio.Event()

    @agent.task("good")
    def good(task: Task) -> str:
        for word in ("for", "ty", "two"):
            task.emit(word)
        return "done"

    @agent.task("held")
    async def held(task: Task) -> None:
        began.set()
        await release.wait()

    @agent.default
    async def default(task: Task) -> None:
        raise {"bad": ValueError, "later": RetryLater, "never": Discard}[task.data["how"]]("so")

    async with agent.running() as life, httpx.AsyncClient() as http:
        url = life.metrics_url
        assert url is not None
        ids = [await field.submit(NORMAL, task_type="good") for _ in range(2)]
        ids += [await field.submit(NORMAL, how=how) for how in ("bad", "later", "never")]
        await field.all_ended(ids)
        last = await field.submit(NORMAL, task_type="held")
        await began.wait()
        page = await scrape(http, url)
        assert page.value("agent_attempts_total", task_type="good", outcome="completed") == 2
        for outcome in ("failed", "retry_later", "discarded"):
            assert page.value("agent_attempts_total", task_type="any", outcome=outcome) == 1
        assert page.value("agent_attempt_seconds_count", task_type="good") == 2
        assert page.value("agent_output_chunks_total") == 6
        assert page.value("agent_output_chunks_dropped_total") == 0
        assert page.value("agent_slots") == 3
        assert page.value("agent_slots_occupied") == 1

        async def at_work() -> bool:  # once it knows that its events arrive
            return (await scrape(http, url)).value("agent_at_work") == 1

        await eventually(at_work)
        assert page.value("agent_process_resident_memory_bytes")
        told = {family.name for family in page.families}
        told = {name for name in told if "_process_" not in name and "_created" not in name}
        assert told == {name.removesuffix("_total") for name in documented()}
        release.set()
        await field.all_ended([last])

        async def free() -> bool:
            return (await scrape(http, url)).value("agent_slots_occupied") == 0

        await eventually(free)
    with pytest.raises(httpx.ConnectError):
        async with httpx.AsyncClient() as http:
            await http.get(url)


async def test_a_port_that_is_taken_ends_the_start_with_one_sentence(field: Field) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        agent = field.agent("worker-1", metrics_port=taken.getsockname()[1])
        agent.default(lambda task: None)
        before = asyncio.all_tasks()
        with pytest.raises(OperatorError, match="--metrics-port"):
            async with agent.running():
                pass
        assert asyncio.all_tasks() <= before, "its connection goes on"


async def test_without_a_port_nothing_is_served(field: Field) -> None:
    agent = field.agent("worker-1")
    agent.default(lambda task: None)
    async with agent.running() as life:
        assert life.metrics_url is None
