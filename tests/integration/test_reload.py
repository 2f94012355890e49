"""`python -m consumers --reload` on a real broker: what runs when a file is saved is finished."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from coordinator.protocol.messages.events import TaskCompleted, TaskStarted
from tests.e2e.processes import spawned
from tests.support.broker import Broker
from tests.support.field import Field, any_lane
from tests.support.waiting import eventually

pytestmark = pytest.mark.any_broker

NORMAL = any_lane("normal")

TWO = """
import asyncio
from pathlib import Path
from consumers import Agent

def made(agent_id):
    agent = Agent(agent_id)

    @agent.default
    async def work(task):
        while not Path({go!r}).exists():
            await asyncio.sleep(0.01)
        return {{"version": {version}, "by": agent_id}}

    return agent

first, second = made("saved-1"), made("saved-2")
"""


async def test_two_agents_finish_what_they_do_when_their_file_is_saved_and_go_on_anew(
    broker: Broker, tmp_path: Path
) -> None:
    mine, go = tmp_path / "mine.py", tmp_path / "go"
    mine.write_text(TWO.format(go=str(go), version=1))
    environment = {"XDG_CACHE_HOME": str(tmp_path), "COORDINATOR_AMQP_URL": broker.url}
    command = [sys.executable, "-m", "consumers", "--reload", f"{mine}:first", f"{mine}:second"]
    output = tmp_path / "reload.out"
    async with Field(broker.url, tmp_path / "agent-coordinator") as field:
        await field.open(NORMAL)
        for agent_id in ("saved-1", "saved-2"):
            field.agent(agent_id)  # whose registration the process finds
        async with spawned(*command, output=output, environment=environment) as process:
            for _ in range(2):  # one slot each
                await field.submit(NORMAL)
            await eventually(lambda: len(field.heard(TaskStarted)) == 2, timeout=60)
            mine.write_text(TWO.format(go=str(go), version=2))
            await process.prints(re.compile("mine.py was saved: starting anew"))
            go.touch()
            await field.submit(NORMAL)
            await eventually(lambda: len(field.heard(TaskCompleted)) == 3, timeout=60)
    results = [told.result for told in field.heard(TaskCompleted)]
    assert [result["version"] for result in results] == [1, 1, 2]
    assert {result["by"] for result in results[:2]} == {"saved-1", "saved-2"}
    assert len(field.heard(TaskStarted)) == 3
