"""The example agents at work: real processes, a real broker, real files, through HTTP."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from consumers import Agent, Task
from tests.support.broker import Broker
from tests.support.chat_endpoint import dictated_endpoint, endpoint
from tests.support.output_streams import Told, read_to_the_end, read_until
from tests.support.running_system import running_system
from tests.support.server_sent_events import streaming
from tests.support.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]

WORK = {
    "word-count": ("librarian", "library/on-queues.md"),
    "readability": ("librarian", "library/on-queues.md"),
    "keywords": ("librarian", "library/on-queues.md"),
    "summary": ("librarian", "library/on-queues.md"),
    "survey": ("librarian", "library"),
    "checksum": ("archivist", "python/this.py"),
    "describe": ("archivist", "python/this.py"),
    "inventory": ("archivist", "library"),
    "duplicates": ("archivist", "library"),
    "system-facts": ("inspector", None),
    "load": ("inspector", None),
    "busy": ("inspector", None),
    "memory": ("inspector", None),
    "disk-space": ("inspector", "library"),
}
"""Each type, the agent that does it, and a path for it."""

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


async def test_the_demo_completes_and_tells_the_waits_and_who_was_overtaken(
    broker: Broker, tmp_path: Path
) -> None:
    async with running_system(broker.url, tmp_path) as system:
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "coordinator", "demo", "--count", "40"],
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
    # One of them that came earlier and could wait was begun after a more urgent one that came later.
    assert re.search(r"[1-9]\d* of 40 were overtaken by more urgent ones", printed), printed
    # And an agent reads aloud, word by word.
    assert re.search(r"[1-9]\d* words of librarian in [0-9.]+ m?s, the first after \d", printed)


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


async def test_each_type_of_work_is_done_without_requirements_as_soon_as_the_system_is_ready(
    broker: Broker, tmp_path: Path
) -> None:
    async with (
        running_system(broker.url, tmp_path) as system,
        httpx.AsyncClient(base_url=system.api) as http,
    ):
        ids = {
            await submitted(http, {"task_type": kind, "path": path}): (agent_id, f"task:{kind}")
            for kind, (agent_id, path) in WORK.items()
        }
        for task_id, (agent_id, lane) in ids.items():
            task = await ended(http, task_id)
            told = (task["state"], task["agent_id"], task["lane"])
            assert told == ("completed", agent_id, lane), task


async def test_a_type_that_no_agent_knows_is_told_and_done_once_one_does(
    broker: Broker, tmp_path: Path
) -> None:
    async with (
        running_system(broker.url, tmp_path) as system,
        httpx.AsyncClient(base_url=system.api) as http,
    ):
        shout = {"task_type": "shout", "text": "hello"}
        once = await ended(http, await submitted(http, shout, max_attempts=1))
        assert (once["state"], once["agent_id"]) == ("dead", "generalist")
        task_id = await submitted(http, shout)

        async def told() -> bool:
            error = (await http.get(f"/tasks/{task_id}")).json()["task"]["error"]
            return error is not None and error["message"] == once["error"]["message"]

        await eventually(told)
        assert "No agent has announced the task_type 'shout'" in once["error"]["message"]
        agent = Agent("shouter", amqp_url=system.amqp_url, cache_dir=tmp_path / "agents")

        @agent.task("shout")
        async def shouted(task: Task) -> str:
            return str(task.data["text"]).upper()

        async with agent.running():
            task = await ended(http, task_id)

    assert (task["state"], task["agent_id"], task["result"]) == ("completed", "shouter", "HELLO")


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


async def test_what_the_endpoint_streams_is_told_to_who_follows_the_task_word_by_word(
    broker: Broker, tmp_path: Path
) -> None:
    """Each word is sent by the endpoint only when the one before it has come to the subscriber."""
    words = ["For", "ty-", "two", ".\n", "Éh? \U0001f600"]
    with dictated_endpoint() as (url, dictation):
        async with (
            running_system(broker.url, tmp_path, {"OPENAI_BASE_URL": url}) as system,
            httpx.AsyncClient(base_url=system.api) as http,
        ):
            chat = {"task_type": "chat", "model": "small-1", "prompt": "What is it?"}
            task_id = await submitted(http, chat)
            async with streaming(system.api, f"/tasks/{task_id}/stream") as stream:
                told = Told()
                for number, word in enumerate(words, 1):
                    dictation.say(word)
                    await read_until(stream, told, ["output.chunks"])
                    assert told.numbered[-1] == (1, number, word)
                dictation.end()
                await read_to_the_end(stream, told)
    assert told.chunks == words
    assert told.end["task"]["result"]["text"] == "".join(words)
    assert told.end["task"]["result"]["usage"] == {"total_tokens": 5}
    assert dictation.asked[0]["stream"] is True


async def test_a_prompt_that_is_cancelled_hangs_up_on_the_endpoint(
    broker: Broker, tmp_path: Path
) -> None:
    with dictated_endpoint() as (url, dictation):
        async with (
            running_system(broker.url, tmp_path, {"OPENAI_BASE_URL": url}) as system,
            httpx.AsyncClient(base_url=system.api) as http,
        ):
            chat = {"task_type": "chat", "model": "small-1", "prompt": "What is it?"}
            task_id = await submitted(http, chat)
            async with streaming(system.api, f"/tasks/{task_id}/stream") as stream:
                dictation.say("Well, ")
                told = await read_until(stream, Told(), ["output.chunks"])
                answer = await http.post(f"/tasks/{task_id}/cancel")
                assert answer.status_code == 200, answer.text

                def hung_up() -> bool:
                    dictation.say("and on ")
                    return dictation.hung_up.is_set()

                await eventually(hung_up)
                await read_to_the_end(stream, told)
    assert told.end["task"]["state"] == "cancelled"


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
