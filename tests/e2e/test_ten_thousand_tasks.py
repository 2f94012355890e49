"""The main job at some size: real processes, real HTTP, a real broker."""

from __future__ import annotations

import random
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Profile, Requirements
from tests.e2e.order import overtakings, read_ends, read_steps
from tests.e2e.processes import agent_process, client, get, ready, service
from tests.e2e.producer import submit_all
from tests.support.broker import Broker
from tests.support.waiting import eventually

TASKS = 10_000
BACKLOG = 4_000
"""Submitted before the first agent starts, so that all priorities wait at once."""

SAMPLE = 300
"""Tasks that are looked up one by one through the API; all of them are looked up in the ledger."""

BOUND_SECONDS = 1.0
"""How long a better task may be passed over: one poll. What an agent has in hand when a better task
arrives it still runs (its free slots, at most), and it looks again within this time."""

PROFILES: dict[str, dict[str, Any]] = {
    "plain-1": {},
    "plain-2": {"agent_type": "general"},
    "analyst-1": {"capabilities": ["analysis"]},
    "analyst-2": {"capabilities": ["analysis", "summaries"]},
    "gpu-1": {"agent_type": "inference", "capabilities": ["gpu", "analysis"]},
    "gpu-2": {"agent_type": "inference", "capabilities": ["gpu"], "services": ["llama"]},
    "provider-1": {"agent_type": "provider", "services": ["storage"]},
    "all-1": {"capabilities": ["analysis", "gpu", "summaries"], "services": ["llama", "storage"]},
}

REQUIREMENTS: list[dict[str, Any]] = [
    {},
    {"agent_type": "worker"},
    {"capabilities": ["analysis"]},
    {"capabilities": ["gpu"]},
    {"capabilities": ["summaries", "analysis"]},
    {"services": ["storage"]},
    {"agent_type": "inference", "services": ["llama"]},
    {"agent_id": "plain-2"},
]


def profile(agent_id: str) -> Profile:
    given = PROFILES[agent_id]
    return Profile(
        agent_id=agent_id,
        agent_type=given.get("agent_type", "worker"),
        capabilities=frozenset(given.get("capabilities", ())),
        services=frozenset(given.get("services", ())),
    )


async def submit(base_url: str, count: int, seed: int) -> dict[str, dict[str, Any]]:
    """Submit ``count`` mixed tasks over 32 connections; what was answered 200, by id."""
    chance = random.Random(seed)
    wanted = [
        {
            "task_data": {"task_type": "echo", "n": number},
            "priority": chance.choice(list(Priority)),
            "requirements": chance.choice(REQUIREMENTS),
        }
        for number in range(count)
    ]
    answers = await submit_all(base_url, wanted)
    assert [answer for answer in answers if answer.status != 200] == []
    accepted = {answer.body["task_id"]: body for answer, body in zip(answers, wanted, strict=True)}
    assert len(accepted) == count
    return accepted


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.timeout(420)
async def test_ten_thousand_mixed_tasks_all_end_completed_by_agents_that_may_do_them(
    broker: Broker, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        _, base_url = await stack.enter_async_context(service(broker.url, tmp_path / "service"))
        http = await stack.enter_async_context(client(base_url))
        await ready(http)
        accepted = await submit(base_url, BACKLOG, seed=1)
        for agent_id, given in PROFILES.items():
            output = tmp_path / "agents" / f"{agent_id}.out"
            await stack.enter_async_context(
                agent_process(broker.url, output, agent_id, profile=given)
            )
        accepted |= await submit(base_url, TASKS - BACKLOG, seed=2)

        async def all_ended() -> dict[str, Any] | None:
            stats: dict[str, Any] = (await get(http, "/tasks/status"))["stats"]
            ended = stats["tasks_completed"] + stats["tasks_failed"]
            return stats if ended >= TASKS else None

        stats = await eventually(all_ended, timeout=300)
        sample = random.Random(3).sample(sorted(accepted), SAMPLE)
        told = {task_id: (await get(http, f"/tasks/{task_id}"))["task"] for task_id in sample}

    assert stats["tasks_distributed"] == TASKS
    assert stats["tasks_completed"] == TASKS
    assert stats["tasks_failed"] == 0
    assert stats["queue_sizes"] == dict.fromkeys(map(str, Priority), 0)
    for task_id, task in told.items():
        assert task["state"] == "completed"
        assert task["result"]["echo"] == accepted[task_id]["task_data"]
        assert task["priority"] == accepted[task_id]["priority"]

    ledger = tmp_path / "service" / "ledger.sqlite3"
    ended = read_ends(ledger)
    assert set(ended) == set(accepted)
    for task_id, (state, agent_id) in ended.items():
        assert state == "completed"
        assert profile(agent_id).satisfies(
            Requirements.from_dict(accepted[task_id]["requirements"])
        )
    passed_over = overtakings(
        read_steps(ledger),
        {agent_id: profile(agent_id) for agent_id in PROFILES},
    )
    longest = max((one.seconds for one in passed_over), default=0.0)
    assert longest <= BOUND_SECONDS, f"{len(passed_over)} overtakings, the longest {longest:.2f} s"
