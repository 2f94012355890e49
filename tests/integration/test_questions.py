"""An attempt asks people and goes on with the answer, on a real broker."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from consumers import Agent, Task
from consumers.agent_timings import AgentTimings, Backoff
from coordinator.protocol.messages.agent_commands import GiveAnswer
from coordinator.registry.projection.command_sender import CommandSender
from tests.support.broker import Broker
from tests.support.output_streams import Told, on_a_socket, read_to_the_end, read_until
from tests.support.server_sent_events import streaming
from tests.support.serving import Service, serving
from tests.support.waiting import eventually

QUESTION = {"question": "Send the letter?", "choices": ["yes", "no"]}
SOON = AgentTimings(ask_again=Backoff(timedelta(seconds=0.2), timedelta(seconds=0.2)))


def clerk(service: Service, agent_id: str = "ada", **how: Any) -> Agent:
    """An agent that asks before it does anything; its result says what it was told, in which attempt."""
    agent = service.agent(agent_id)

    @agent.task("letter")
    async def letter(task: Task) -> dict[str, Any]:
        return {
            "answer": await task.ask(QUESTION, **how),
            "attempt": task.attempt,
            "agent": agent_id,
        }

    return agent


async def submit(service: Service, **body: Any) -> str:
    answer = await service.post("/tasks/submit", task_data={"task_type": "letter"}, **body)
    return str(answer["task_id"])


async def answer(service: Service, task_id: str, said: Any, **more: Any) -> int:
    path = f"/tasks/{task_id}/input"
    return (await service.http.post(path, json={"answer": said} | more)).status_code


async def test_an_attempt_keeps_its_slot_and_goes_on_with_the_answer(
    broker: Broker, tmp_path: Path
) -> None:
    async with serving(broker, tmp_path) as service, clerk(service).running():
        task_id = await submit(service)
        task = await service.becomes(task_id, "input_required")
        assert task["question"]["question"] == QUESTION
        assert task["question"]["released"] is False
        why = (await service.http.get(f"/tasks/{task_id}/explain")).json()["explanation"]["why"]
        assert "waits for an answer by POST" in why
        behind = await submit(service)
        await _heard_again(service)
        assert (await service.task(behind))["state"] == "queued"  # its only slot is taken
        found = (await service.http.get("/tasks", params={"state": "input_required"})).json()
        assert [one["task_id"] for one in found["tasks"]] == [task_id]
        assert await answer(service, task_id, "perhaps") == 422
        assert await answer(service, task_id, "yes", question_id="7") == 409
        assert await answer(service, task_id, "yes") == 200
        ended = await service.ends(task_id)
        assert ended["result"] == {"answer": "yes", "attempt": 1, "agent": "ada"}
        assert ended["answers"][0]["answer"] == "yes"
        assert await answer(service, task_id, "yes") == 200  # said again
        assert await answer(service, task_id, "no") == 409
        await service.becomes(behind, "input_required")
        assert await answer(service, behind, "no") == 200
        await service.ends(behind)


async def _heard_again(service: Service) -> None:
    """Two heartbeats later the agent would have taken what it takes, and said so."""
    before = (await service.http.get("/agents/ada")).json()["agent"]["last_heartbeat"]
    for _ in range(2):

        async def later(than: str = before) -> str | None:
            found = (await service.http.get("/agents/ada")).json()["agent"]["last_heartbeat"]
            return str(found) if found != than else None

        before = await eventually(later)


async def test_what_is_asked_and_answered_is_on_the_streams(broker: Broker, tmp_path: Path) -> None:
    async with (
        serving(broker, tmp_path) as service,
        on_a_socket(service.coordinator) as url,
        clerk(service).running(),
        streaming(url, "/events?state=input_required") as waiting,
    ):
        await waiting.frame()
        task_id = await submit(service)
        asked = await waiting.event()
        assert asked is not None
        assert (asked.event, asked.json["subject"]) == ("task.asked", task_id)
        async with streaming(url, f"/tasks/{task_id}/stream") as of_task:
            told = await read_until(of_task, Told(), ["task.asked"])
            assert told.frames[-1].json["data"]["state"] == "input_required"
            assert await answer(service, task_id, "yes") == 200
            await read_to_the_end(of_task, told)
        states = [(one.event, one.json["data"]["state"]) for one in told.frames[:-1]]
        assert states[-4:] == [
            ("task.started", "running"),
            ("task.asked", "input_required"),
            ("task.answered", "running"),
            ("task.completed", "completed"),
        ]


async def test_an_attempt_gives_its_slot_back_and_another_has_the_answer(
    broker: Broker, tmp_path: Path
) -> None:
    async with serving(broker, tmp_path) as service:
        async with clerk(service, release=True).running():
            task_id = await submit(service, max_attempts=1)
            task = await service.becomes(task_id, "input_required")
            assert (task["question"]["released"], task["agent_id"]) == (True, None)
            other = await submit(service)  # the only slot is free
            await service.becomes(other, "input_required")
        async with clerk(service, "bob", release=True).running():
            assert await answer(service, task_id, "no") == 200
            ended = await service.ends(task_id)
        assert ended["result"] == {"answer": "no", "attempt": 2, "agent": "bob"}
        assert (await service.task(other))["state"] == "input_required"


async def test_a_plain_function_asks_as_well(broker: Broker, tmp_path: Path) -> None:
    async with serving(broker, tmp_path) as service:
        agent = service.agent()

        @agent.task("letter")
        def letter(task: Task) -> list[Any]:
            kept = task.ask(QUESTION)
            return [kept, task.ask("How many?", schema={"type": "integer"}, release=True)]

        async with agent.running():
            task_id = await submit(service)
            await service.becomes(task_id, "input_required")
            assert await answer(service, task_id, "yes") == 200

            async def asks_the_second() -> bool:
                question = (await service.task(task_id))["question"]
                return question is not None and question["question_id"] == "2"

            await eventually(asks_the_second)
            assert await answer(service, task_id, "three") == 422
            assert await answer(service, task_id, 3) == 200
            ended = await service.ends(task_id)
        assert (ended["result"], ended["attempt"]) == (["yes", 3], 2)


async def test_the_time_of_a_question_is_over(broker: Broker, tmp_path: Path) -> None:
    async with serving(broker, tmp_path) as service:
        agent = service.agent()

        @agent.task("letter")
        async def letter(task: Task) -> list[str]:
            said = []
            for release in (False, True):
                try:
                    await task.ask(QUESTION, timeout=0.3, release=release)
                except TimeoutError as late:
                    said.append(str(late))
            return said

        async with agent.running():
            ended = await service.ends(await submit(service))
        assert ended["result"] == [
            "nobody has answered the question '1' in time",
            "nobody has answered the question '2' in time",
        ]
        assert [one["timed_out"] for one in ended["answers"]] == [True]


async def test_a_time_limit_stands_still_while_people_are_asked(
    broker: Broker, tmp_path: Path
) -> None:
    async with serving(broker, tmp_path) as service, clerk(service).running():
        task_id = await submit(service, timeout_seconds=0.5, max_attempts=1)
        task = await service.becomes(task_id, "input_required")
        asked = time.monotonic()
        await eventually(lambda: time.monotonic() - asked > 1)  # twice its limit
        assert (await service.task(task_id))["attempt"] == task["attempt"]
        assert await answer(service, task_id, "yes") == 200
        assert (await service.ends(task_id))["state"] == "completed"


class _Losing(CommandSender):
    """Loses the first answers on their way."""

    lost = 0

    def tell(self, agent_id: str, command: Any) -> None:
        if isinstance(command, GiveAnswer) and self.lost < 2:
            self.lost += 1
            return
        super().tell(agent_id, command)


async def test_an_answer_that_is_lost_on_its_way_is_asked_for_again(
    broker: Broker, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr("coordinator.bootstrap.publishers.CommandSender", _Losing)
    async with serving(broker, tmp_path) as service:
        agent = clerk(service)
        agent.configure(timings=SOON)
        async with agent.running():
            task_id = await submit(service)
            await service.becomes(task_id, "input_required")
            assert await answer(service, task_id, "yes") == 200
            assert (await service.ends(task_id))["result"]["answer"] == "yes"


async def test_a_question_outlives_the_coordinator(broker: Broker, tmp_path: Path) -> None:
    async with asked_of_a_coordinator_that_left(broker, tmp_path) as (service, kept, released):
        for task_id in (kept, released):
            assert (await service.task(task_id))["state"] == "input_required"
            assert await answer(service, task_id, "yes") == 200
        for task_id in (kept, released):
            assert (await service.ends(task_id))["result"]["answer"] == "yes"


@asynccontextmanager
async def asked_of_a_coordinator_that_left(
    broker: Broker, folder: Path
) -> AsyncIterator[tuple[Service, str, str]]:
    agent = Agent("ada", amqp_url=broker.url, cache_dir=folder / "ada", slots=2)

    @agent.task("letter")
    async def letter(task: Task) -> dict[str, Any]:
        return {"answer": await task.ask(QUESTION, release=task.data["release"])}

    async with agent.running():
        async with serving(broker, folder) as service:
            ids = [
                (
                    await service.post(
                        "/tasks/submit", task_data={"task_type": "letter", "release": release}
                    )
                )["task_id"]
                for release in (False, True)
            ]
            for task_id in ids:
                await service.becomes(task_id, "input_required")
        async with serving(broker, folder) as service:
            yield service, ids[0], ids[1]


async def test_an_agent_that_is_lost_over_its_question_asks_again_elsewhere(
    broker: Broker, tmp_path: Path
) -> None:
    async with serving(broker, tmp_path) as service:
        first = clerk(service)
        running = first.running()
        await running.__aenter__()
        task_id = await submit(service)
        await service.becomes(task_id, "input_required")
        assert await answer(service, task_id, "yes", question_id="1") in (200, 409)
        await running.__aexit__(None, None, None)
        async with clerk(service, "bob").running():
            assert (await service.ends(task_id))["result"]["answer"] == "yes"


async def test_a_cancelled_task_asks_nobody(broker: Broker, tmp_path: Path) -> None:
    async with serving(broker, tmp_path) as service, clerk(service).running():
        task_id = await submit(service)
        await service.becomes(task_id, "input_required")
        await service.post(f"/tasks/{task_id}/cancel")
        assert (await service.task(task_id))["question"] is None
        assert await answer(service, task_id, "yes") == 409
        assert (await service.ends(await _another(service)))["state"] == "completed"


async def _another(service: Service) -> str:
    """The slot is free again."""
    task_id = await submit(service)
    await service.becomes(task_id, "input_required")
    assert await answer(service, task_id, "yes") == 200
    return task_id
