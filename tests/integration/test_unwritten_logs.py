"""An agent works though its log cannot be written: on a full disk, to nobody, to a stream that was closed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.e2e.processes import spawned
from tests.support.broker import Broker
from tests.support.serving import serving
from tests.support.waiting import eventually

FULL = Path("/dev/full")

SUMS = """
from consumers import Agent

agent = Agent("sums")


@agent.task("sum")
def add(task):
    task.log.warning("adding")
    return sum(task.data["numbers"])
"""


@pytest.mark.skipif(not FULL.exists(), reason="no full disk here")
@pytest.mark.parametrize(
    "streams", [f">{FULL} 2>&1", "2>&-", "2>&1 | true"], ids=["full", "closed", "unread"]
)
async def test_an_agent_does_its_tasks_though_its_log_cannot_be_written(
    broker: Broker, tmp_path: Path, streams: str
) -> None:
    (tmp_path / "sums.py").write_text(SUMS)
    command = f'"{sys.executable}" -m consumers "{tmp_path / "sums.py"}:agent" {streams}'
    async with (
        serving(broker, tmp_path) as service,
        spawned(
            *("sh", "-c", command),
            output=tmp_path / "sums.log",
            environment={"COORDINATOR_AMQP_URL": broker.url},
        ),
    ):
        data = {"task_type": "sum", "numbers": [1, 2]}
        task_id = (await service.post("/tasks/submit", task_data=data))["task_id"]
        assert (await service.ends(task_id))["result"] == 3
        await service.post("/agents/sums/drain")

        async def inactive() -> bool:
            shown = (await service.http.get("/agents/sums")).json()["agent"]
            return bool(shown["status"] == "inactive")

        await eventually(inactive)
