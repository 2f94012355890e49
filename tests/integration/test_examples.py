"""The example agents at work: real processes, a real broker, real files, through HTTP."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.broker import Broker
from tests.support.chat_endpoint import endpoint
from tests.support.running_system import running_system
from tests.support.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.any_broker, pytest.mark.slow]


async def submitted(http: httpx.AsyncClient, data: dict[str, Any], **more: Any) -> str:
    answer = await http.post("/tasks/submit", json={"task_data": data, **more})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["task_id"])


async def ended(http: httpx.AsyncClient, task_id: str) -> dict[str, Any]:
    async def there() -> dict[str, Any] | None:
        answer = await http.get(f"/tasks/{task_id}")
        task: dict[str, Any] = answer.json()["task"]
        return task if task["ended_at"] else None

    return await eventually(there, timeout=60)


async def test_the_demo_completes_and_tells_the_waits(broker: Broker, tmp_path: Path) -> None:
    async with running_system(broker.url, tmp_path) as system:
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "coordinator.cli", "demo", "--count", "40"],
            *["--no-live", "--url", system.api],
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()

    printed = output.decode()
    assert process.returncode == 0, printed
    assert "All 40 tasks completed" in printed
    assert "Waiting times" in printed


async def test_a_bare_prompt_is_answered_truthfully_without_a_model(
    broker: Broker, tmp_path: Path
) -> None:
    async with (
        running_system(broker.url, tmp_path, {"OPENAI_BASE_URL": ""}) as system,
        httpx.AsyncClient(base_url=system.api) as http,
    ):
        task = await ended(
            http, await submitted(http, {"model": "llama2", "prompt": "test prompt"})
        )

    assert task["state"] == "completed"
    assert "No model has seen this prompt" in task["result"]["note"]


async def test_prompts_go_to_the_endpoint_that_the_environment_names(
    broker: Broker, tmp_path: Path
) -> None:
    with endpoint() as (url, seen):
        async with (
            running_system(broker.url, tmp_path, {"OPENAI_BASE_URL": url}) as system,
            httpx.AsyncClient(base_url=system.api) as http,
        ):
            chat = {"task_type": "chat", "model": "small-1", "prompt": "What is it?"}
            task_id = await submitted(
                http, chat, requirements={"capabilities": ["inference"]}, priority="urgent"
            )
            task = await ended(http, task_id)

    assert task["state"] == "completed", task
    assert (task["agent_id"], task["result"]["text"]) == ("interpreter", "Forty-two.")
    assert seen.bodies[0]["model"] == "small-1"


async def test_a_path_outside_the_allowed_folders_is_refused_with_a_sentence(
    broker: Broker, tmp_path: Path
) -> None:
    async with (
        running_system(broker.url, tmp_path) as system,
        httpx.AsyncClient(base_url=system.api) as http,
    ):
        data = {"task_type": "checksum", "path": "/etc/passwd"}
        task = await ended(http, await submitted(http, data, requirements={"services": ["files"]}))

    assert task["state"] == "dead"
    assert "outside the folders that this agent may read" in task["error"]["message"]
