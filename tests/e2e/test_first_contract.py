"""The commands that clients were first given, letter for letter, against `coordinator up` as `make run`
starts it: nothing that came later, such as keys, may ask more of them on loopback.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from coordinator.rabbitmq_node.free_ports import choose_port
from coordinator.rabbitmq_node.installed_server import find_server
from tests.e2e.processes import spawned
from tests.support.waiting import eventually

CURL = shutil.which("curl")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        (find_server() is None or CURL is None) and not os.environ.get("CI"),
        reason="this needs a RabbitMQ server and curl",
    ),
]

READY = re.compile(r"^ready after", re.MULTILINE)

REGISTER = """
curl -X POST http://localhost:9001/agents/register \\
-H "Content-Type: application/json" \\
-d '{
"agent_id": "hermes-agent",
"agent_type": "worker",
"capabilities": ["data-processing", "analysis"],
"services": ["task-execution"],
"endpoints": {"http": "http://localhost:9002"},
"metadata": {"version": "1.0.0"}
}'
"""
DISCOVER = """
curl -X POST http://localhost:9001/agents/discover \\
-H "Content-Type: application/json" \\
-d '{
"status": "active",
"agent_type": "worker"
}'
"""
LOOK_UP = "curl http://localhost:9001/agents/hermes-agent"
DECLARE = """
curl -X PUT http://localhost:9001/agents/hermes-agent/status \\
-H "Content-Type: application/json" \\
-d '{
"status": "busy",
"load_metrics": {
"active_connections": 5,
"pending_tasks": 2
}
}'
"""
SUBMIT = """
curl -X POST http://localhost:9001/tasks/submit \\
-H "Content-Type: application/json" \\
-d '{
"task_data": {
"model": "llama2",
"prompt": "test prompt"
},
"priority": "normal",
"requirements": {}
}'
"""
STATUS = "curl http://localhost:9001/tasks/status"
HEALTH = "curl http://localhost:9001/health"

OF_AN_AGENT = {
    *("agent_id", "agent_type", "status", "capabilities", "services", "endpoints", "metadata"),
    *("last_heartbeat", "registration_time", "load_metrics", "health_score", "version", "tags"),
}
OF_THE_STATISTICS = {
    *("tasks_distributed", "tasks_completed", "tasks_failed", "avg_distribution_time"),
    *("load_balancer_stats", "queue_sizes"),
}
OF_THE_BALANCER = {
    *("strategy", "total_assignments", "successful_assignments", "failed_assignments"),
    *("success_rate", "active_agents", "agent_weights", "avg_agent_load"),
}


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[int]:
    """Of a system that runs: another than 9001, which may be taken here."""
    chosen = choose_port([], taken=set())
    command = [sys.executable, "-m", "coordinator", "up", "--port", str(chosen)]
    command += ["--data-dir", str(tmp_path / "data")]
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    async with spawned(*command, output=tmp_path / "out", environment=environment) as process:
        await process.prints(READY)
        yield chosen


async def typed(command: str, port: int) -> dict[str, Any]:
    """What it prints, as the shell runs it; `-f` has curl tell an HTTP error."""
    command = command.strip().replace("localhost:9001", f"localhost:{port}")
    process = await asyncio.create_subprocess_exec(
        *("sh", "-ec", command.replace("curl", "curl -sSf", 1)),
        stdout=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"]},
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0, printed
    found: dict[str, Any] = json.loads(printed)
    return found


async def test_the_commands_that_clients_were_first_given_work_without_a_key(port: int) -> None:
    registered = await typed(REGISTER, port)
    assert registered["status"] == "success"
    assert registered["message"] == "Agent hermes-agent registered successfully"
    assert registered["agent_id"] == "hermes-agent"
    assert "registered_at" in registered

    found = await typed(DISCOVER, port)
    assert found["status"] == "success"
    assert found["query"] == {"status": "active", "agent_type": "worker"}
    assert "hermes-agent" in [agent["agent_id"] for agent in found["agents"]]
    assert found["count"] == len(found["agents"])
    assert all(set(agent) >= OF_AN_AGENT for agent in found["agents"])

    looked_up = (await typed(LOOK_UP, port))["agent"]
    assert set(looked_up) >= OF_AN_AGENT
    assert looked_up["capabilities"] == ["data-processing", "analysis"]

    declared = await typed(DECLARE, port)
    assert (declared["status"], declared["new_status"]) == ("success", "busy")
    assert declared["message"] == "Agent hermes-agent status updated"
    assert "updated_at" in declared

    submitted = await typed(SUBMIT, port)
    assert submitted["status"] == "success"
    assert submitted["message"] == "Task submitted successfully"
    assert submitted["priority"] == "normal"
    assert {"task_id", "submitted_at"} <= set(submitted)

    async def counted() -> dict[str, Any] | None:
        told = await typed(STATUS, port)
        return told if told["stats"]["tasks_completed"] == 1 else None

    told = await eventually(counted, timeout=60)
    assert set(told["stats"]) >= OF_THE_STATISTICS
    assert set(told["stats"]["load_balancer_stats"]) >= OF_THE_BALANCER
    assert told["stats"]["queue_sizes"] == dict.fromkeys(
        ("urgent", "critical", "high", "normal", "low"), 0
    )
    assert (await typed(HEALTH, port))["status"] == "healthy"
