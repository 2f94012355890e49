"""Agents under users that may do as little as agents need, with the whole service on a real broker."""

from __future__ import annotations

from pathlib import Path

import pytest

from consumers import Task
from coordinator.agent_users.agent_grant import AgentGrant
from coordinator.protocol.ids import new_id
from tests.support.agent_accounts import account_of
from tests.support.broker import Broker
from tests.support.serving import serving

GPU = {"capabilities": ["gpu"]}


def a_new_id(name: str = "ada") -> str:
    """Users are the node's, which tests share."""
    return f"{name}-{new_id()[-12:]}"


async def test_an_agent_that_may_declare_nothing_registers_and_does_tasks(
    broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    grant = AgentGrant(agent_id=a_new_id(), capabilities=("gpu",))
    async with account_of(broker, grant) as [url], serving(broker, tmp_path) as service:
        agent = service.agent(grant.agent_id, capabilities=["gpu"], slots=2)
        agent.configure(amqp_url=url)

        @agent.task("reverse")
        async def reverse(task: Task) -> str:
            return str(task.data["text"])[::-1]

        async with agent.running() as running:
            await running.registered()
            open_lane = await service.post(
                "/tasks/submit", task_data={"task_type": "reverse", "text": "ab"}
            )
            lane = await service.post(
                "/tasks/submit", task_data={"task_type": "reverse", "text": "cd"}, requirements=GPU
            )
            for one, result in ((open_lane, "ba"), (lane, "dc")):
                assert (await service.ends(one["task_id"]))["result"] == result
            own = [name for name in await broker.queues() if name.startswith("agent.")]
            assert len(own) == 1
    assert not [one for one in caplog.messages if "no coordinator answers" in one]
