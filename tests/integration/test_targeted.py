"""Tasks that are for one agent, on a real broker: nobody else takes them."""

from __future__ import annotations

from pathlib import Path

from consumers import Agent, Task
from tests.support.broker import Broker
from tests.support.serving import Service, serving

TASKS = 10


async def test_a_task_for_one_agent_is_done_by_that_agent_however_idle_the_others_are(
    broker: Broker, tmp_path: Path
) -> None:
    ran: list[tuple[str, int]] = []

    def agent(service: Service, agent_id: str) -> Agent:
        made = service.agent(agent_id)

        @made.default
        async def work(task: Task) -> str:
            ran.append((agent_id, task.attempt))
            if task.attempt == 1:
                raise ValueError("not this time")
            return agent_id

        return made

    async with serving(broker, tmp_path) as service, agent(service, "ada").running():
        body = {
            "task_data": {},
            "requirements": {"agent_id": "bob"},
            "backoff": {"first_seconds": 0.1},
        }
        answers = [await service.post("/tasks/submit", **body) for _ in range(TASKS)]
        assert "No agent that ever registered is called 'bob'." in answers[0]["warning"]
        for_anyone = await service.post("/tasks/submit", **{**body, "requirements": None})
        assert (await service.ends(for_anyone["task_id"]))["result"] == "ada"

        explained = await service.http.get(f"/tasks/{answers[0]['task_id']}/explain")
        assert "called 'bob'" in explained.text

        async with agent(service, "bob").running():
            for answer in answers:
                task = await service.ends(answer["task_id"])
                assert (task["state"], task["result"], task["attempt"]) == ("completed", "bob", 2)
    assert sorted(ran) == sorted([("ada", 1), ("ada", 2), *([("bob", 1), ("bob", 2)] * TASKS)])
