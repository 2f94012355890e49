"""Tasks that are held for longer than the broker has patience."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from consumers import Task
from coordinator.protocol.events import TaskCompleted
from tests.support.broker import Node, own_node
from tests.support.field import Field, any_lane
from tests.support.sources import BrokerSource
from tests.support.waiting import eventually

NORMAL = any_lane("normal")

IMPATIENT = "[{rabbit, [{consumer_timeout, 2000}, {channel_tick_interval, 500}]}]."
"""Closes the channel of whoever holds a message for two seconds, as others do after half an hour."""


@asynccontextmanager
async def configured(source: BrokerSource, folder: Path, advanced: str) -> AsyncIterator[Node]:
    """A running node of the test's own with this `advanced.config`."""
    if not source.ours or source.image is not None:
        pytest.skip("this broker's configuration is not the tests' own")
    await asyncio.to_thread(_configure, folder, advanced)
    node = own_node(source, folder)
    await node.start()
    try:
        yield node
    finally:
        await node.stop()


def _configure(folder: Path, advanced: str) -> None:
    folder.mkdir()
    (folder / "advanced.config").write_text(advanced)


@pytest.mark.timeout(180)
async def test_a_task_that_outlasts_the_brokers_patience_is_done_once_and_reported(
    broker_source: BrokerSource, tmp_path: Path
) -> None:
    async with (
        configured(broker_source, tmp_path / "node", IMPATIENT) as node,
        Field(node.amqp_url, tmp_path / "cache") as field,
    ):
        await field.open(NORMAL)
        agent = field.agent("ada", slots=2)

        @agent.default
        async def work(task: Task) -> str:
            await asyncio.sleep(task.data["seconds"])
            return "done"

        async with agent.running():
            long = await field.submit(NORMAL, seconds=7)
            await eventually(lambda: field.started() == [long], timeout=60)
            short = [await field.submit(NORMAL, seconds=0.01) for _ in range(5)]
            await field.all_ended([long, *short], timeout=60)

            async def settled() -> bool:
                return await field.depth(NORMAL) == 0 and await field.consumers(NORMAL) <= 1

            await eventually(settled, timeout=60)
        assert await field.depth(NORMAL) == 0
        assert sorted(field.started()) == sorted([long, *short])
        assert len(field.heard(TaskCompleted)) == 6
