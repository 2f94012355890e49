"""A task goes only to an agent that knows how to do it, on a real broker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from consumers import Agent, Task
from coordinator.domain.transitions.declines import NO_HANDLER
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.registry.tables import schema
from tests.support.broker import Broker
from tests.support.serving import Service, serving
from tests.support.waiting import eventually

_NOTHING = Requirements()


def does(service: Service, agent_id: str, *task_types: str | None, **options: Any) -> Agent:
    """An agent with a handler for each of these; of None, a default handler. A result names it."""
    agent = service.agent(agent_id, **options)

    def add(task_type: str | None) -> None:
        async def work(task: Task) -> list[object]:
            return [agent_id, task_type, task.data.get("n")]

        agent.handlers.add(task_type, work)

    for task_type in task_types:
        add(task_type)
    return agent


async def submit(service: Service, task_type: str | None = None, **body: Any) -> dict[str, Any]:
    data = {"n": body.pop("n", 0)} | ({} if task_type is None else {"task_type": task_type})
    return await service.post("/tasks/submit", task_data=data, **body)


async def queues(service: Service) -> dict[str, int]:
    """How many tasks wait on each queue that was opened."""
    found = (await service.http.get("/tasks/queues/stats")).json()["queues"]
    return {queue["queue"]: queue["ready"] for queue in found}


async def announced(service: Service, *task_types: str) -> None:
    """Submissions of these types go to lanes of their own."""

    async def routed() -> bool:
        ids = [(await submit(service, one, priority="low"))["task_id"] for one in task_types]
        lanes = {(await service.task(task_id))["lane"] for task_id in ids}
        return lanes == {f"task:{one}" for one in task_types}

    await eventually(routed)


async def test_each_of_many_tasks_without_requirements_goes_to_who_knows_its_type(
    broker: Broker, tmp_path: Path
) -> None:
    async with (
        serving(broker, tmp_path) as service,
        does(service, "ada", "sum").running(),
        does(service, "bob", "product").running(),
        does(service, "cy", None).running(),
    ):
        await announced(service, "sum", "product")
        assert (await submit(service, "prodcut"))["warning"] == (
            "No agent that ever registered has a handler of its own for tasks of the type 'prodcut': an"
            " agent with a default handler takes the task."
        )
        kinds = ["sum", "product", None, "unheard-of"] * 8
        ids = [(await submit(service, kind, n=n))["task_id"] for n, kind in enumerate(kinds)]
        results = [task["result"] for task in await service.all_end(ids)]
        who = {"sum": ["ada", "sum"], "product": ["bob", "product"]}
        assert results == [[*who.get(str(kind), ["cy", None]), n] for n, kind in enumerate(kinds)]
        assert not [name for name in await queues(service) if "unheard-of" in name]


async def test_a_task_of_a_type_that_nobody_does_waits_and_says_so(
    broker: Broker, tmp_path: Path
) -> None:
    async with serving(broker, tmp_path) as service, does(service, "ada", "sum").running():
        await eventually(lambda: _active(service, "ada"))
        answer = await submit(service, "smu")
        assert answer["warning"] == (
            "No agent that is registered now has a handler for tasks of the type 'smu': the task"
            " waits for one. No agent that ever registered does tasks of the type 'smu'."
        )
        untyped = await submit(service)
        assert "has no task_type" in untyped["warning"]
        explained = (await service.http.get(f"/tasks/{answer['task_id']}/explain")).json()[
            "explanation"
        ]
        assert explained["warnings"] == [answer["warning"]]
        assert explained["able_count"] == 0
        assert explained["unable"][0]["why_not"] == [
            "it has no handler for tasks of the type 'smu'"
        ]
        assert await queues(service) == {"tasks.any.normal": 2}
        assert (await service.task(answer["task_id"]))["state"] == "queued"
        await service.post(f"/tasks/{answer['task_id']}/cancel")
        again = await service.post(f"/tasks/{answer['task_id']}/retry")
        assert again["warning"] == answer["warning"]


async def _active(service: Service, agent_id: str) -> bool:
    return (await service.http.get(f"/agents/{agent_id}")).status_code == 200


async def test_what_waits_moves_to_the_lane_of_its_type_in_order_once_it_is_announced(
    broker: Broker, tmp_path: Path
) -> None:
    async with serving(broker, tmp_path) as service:
        kinds = ["sum", None, "product", "sum"] * 25
        ids = [(await submit(service, kind, n=n))["task_id"] for n, kind in enumerate(kinds)]
        urgent = (await submit(service, "sum", n=-1, priority="urgent"))["task_id"]
        long = (await submit(service, "sum", n=-2, timeout_seconds=3600))["task_id"]
        assert await queues(service) == {
            "tasks.any.normal": 100,
            "tasks.any.urgent": 1,
            "tasks.any:long.normal": 1,
        }
        agent = service.agent("ada")
        order: list[int] = []

        @agent.task("sum")
        async def work(task: Task) -> None:
            order.append(task.data["n"])

        async with agent.running():
            sums = [task_id for task_id, kind in zip(ids, kinds, strict=True) if kind == "sum"]
            for task_id in [*sums, urgent, long]:
                ended = await service.ends(task_id)
                assert (ended["state"], ended["attempt"]) == ("completed", 1)
            assert [n for n in order if n >= 0] == [n for n in range(100) if kinds[n] == "sum"]
            left = await queues(service)
            assert (left["tasks.any.normal"], left["tasks.any.urgent"]) == (50, 0)
            assert (await service.task(urgent))["lane"] == "task:sum"
            assert (await service.task(long))["lane"] == "task:sum:long"
            assert (await service.task(sums[0]))["requirements"] == {}

        rest = [task_id for task_id in ids if task_id not in sums]
        async with does(service, "bob", "product", None).running():
            results = [task["result"][1:] for task in await service.all_end(rest)]
        assert results == [[kinds[n], n] for n in range(100) if kinds[n] != "sum"]


async def test_what_was_queued_before_its_type_was_known_is_still_done_after_an_upgrade(
    broker: Broker, tmp_path: Path
) -> None:
    """As an older version left them: on the lanes of their requirements alone, with some in hand."""
    async with serving(broker, tmp_path) as service:
        async with does(service, "old", None).running():
            await service.ends((await submit(service, "sum"))["task_id"])
        wanted = {"capabilities": ["maths"]}
        old = [
            await service.submit(task_data={"task_type": "sum", "n": n}, requirements=wanted)
            for n in range(3)
        ]
        agent = does(service, "ada", "sum", capabilities=["maths"])
        async with agent.running():
            for task_id in old:
                ended = await service.ends(task_id)
                assert (ended["state"], ended["lane"]) == ("completed", "task:sum+cap:maths")


async def test_a_coordinator_that_starts_knows_what_was_announced(
    broker: Broker, tmp_path: Path
) -> None:
    async with serving(broker, tmp_path) as service, does(service, "ada", "sum").running():
        await announced(service, "sum")
    async with serving(broker, tmp_path) as service:
        task_id = (await submit(service, "sum"))["task_id"]
        assert (await service.task(task_id))["lane"] == "task:sum"

        async def warned() -> bool:
            """What the agent said when it left may not be folded yet, and an answer is good for a second."""
            return "takes no work now" in (await submit(service, "sum")).get("warning", "")

        await eventually(warned)


async def test_a_task_that_an_agent_does_not_know_goes_to_one_that_does_with_no_attempt_counted(
    broker: Broker, tmp_path: Path
) -> None:
    async with serving(broker, tmp_path) as service:
        unknowing = does(service, "ada", "sum")
        async with unknowing.running() as running:
            await running.registered()
            # As with a list of queues from before its handlers were announced.
            await service.coordinator.opener.ensure(TaskQueue("any", Priority.NORMAL), _NOTHING)
            running._sources.add(TaskQueue("any", Priority.NORMAL))
            task_id = (await submit(service, "product"))["task_id"]

            async def declined() -> dict[str, Any] | None:
                task = await service.task(task_id)
                return task if task["error"] else None

            task = await eventually(declined)
            assert (task["error"]["type"], task["attempt"]) == (NO_HANDLER, 1)
            explained = (await service.http.get(f"/tasks/{task_id}/explain")).json()["explanation"]
            assert "has no handler for tasks of the type 'product'" in explained["why"]
        async with does(service, "bob", "product").running():
            ended = await service.ends(task_id)
        assert (ended["state"], ended["attempt"], ended["agent_id"]) == ("completed", 1, "bob")
        events = (await service.http.get(f"/tasks/{task_id}/events")).json()["events"]
        told = [event["type"] for event in events]
        assert told.count("task.started") == 1
        assert "task.declined" in told
        (row,) = await service.stored(
            sa.select(schema.tasks).where(schema.tasks.c.task_id == task_id)
        )
        assert (row.failures, row.starts) == (0, 1)


async def test_an_agent_that_announces_nothing_is_offered_every_type(
    broker: Broker, tmp_path: Path
) -> None:
    """As agents in other languages do that were written before there were types."""
    async with serving(broker, tmp_path) as service, does(service, "ada", "sum").running():
        await announced(service, "sum")
        agent = does(service, "bob", "sum", None)
        request = agent.options.request("instance", []).model_copy(update={"task_types": None})
        async with agent.running() as running:
            running._registration._describe = lambda: request
            running._registration.again()

            async def listening() -> bool:
                found = (await service.http.get("/tasks/queues/stats")).json()["queues"]
                return {q["queue"]: q["listening"] for q in found}.get("tasks.task:sum.low") == 2

            await eventually(listening)


async def test_two_coordinators_move_each_task_once(broker: Broker, tmp_path: Path) -> None:
    ran: list[int] = []
    async with serving(broker, tmp_path) as first, serving(broker, tmp_path) as second:
        services = [first, second]
        ids = [(await submit(services[n % 2], "sum", n=n))["task_id"] for n in range(40)]
        agent = first.agent("ada", slots=4)

        @agent.task("sum")
        async def work(task: Task) -> None:
            ran.append(task.data["n"])

        async with agent.running():
            ended = await second.all_end(ids)
        assert {task["lane"] for task in ended} <= {"task:sum"}
        assert sorted(ran) == list(range(40))
