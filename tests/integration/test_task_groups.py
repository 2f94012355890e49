"""Tasks that are submitted together, on a real broker: each is done once, whatever half of it was refused."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import pytest

from consumers import Agent, Task
from coordinator.bootstrap.replacements import Replacements
from coordinator.broker.asyncio_cancel import cancel_and_wait
from coordinator.broker.publisher import Outgoing
from coordinator.errors import OutcomeUnknown, TaskNotFound
from coordinator.protocol.messages.task_group import GROUP_TYPE
from coordinator.protocol.priority import Priority
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.topology import LOG, TASKS, WORK
from coordinator.recovery.half_published_tasks import HalfPublishedTasks
from coordinator.submission.task_maker import SubmitTask
from coordinator.submission.task_publisher import TaskPublisher
from tests.support.broker import Broker
from tests.support.serving import Service, serving
from tests.support.submission import submitting_side
from tests.support.waiting import eventually

ANY = TaskQueue("any", Priority.NORMAL)


class Sent:
    """An interceptor that keeps what was sent."""

    def __init__(self) -> None:
        self.outgoing: list[Outgoing] = []

    def before(self, outgoing: Outgoing) -> None:
        self.outgoing.append(outgoing)

    def confirmed(self, outgoing: Outgoing) -> None: ...

    def failed(self, outgoing: Outgoing, error: BaseException) -> None: ...

    def to(self, exchange: str) -> list[Outgoing]:
        return [one for one in self.outgoing if one.exchange == exchange]


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
async def service(broker: Broker, tmp_path: Path, sent: Sent) -> AsyncIterator[Service]:
    replacements = Replacements(publish_interceptors=[sent])
    async with serving(broker, tmp_path, replacements=replacements) as service:
        yield service


def counting(service: Service) -> tuple[Agent, Counter[str]]:
    """An agent, and how often it has started each task."""
    agent, done = service.agent(slots=4), Counter[str]()

    @agent.default
    async def count(task: Task) -> None:
        done[task.id] += 1

    return agent, done


async def all_completed(service: Service, task_ids: list[str]) -> None:
    for task_id in task_ids:
        await service.becomes(task_id, "completed")


async def test_tasks_of_many_connections_at_once_share_records_and_are_each_done_once(
    service: Service, sent: Sent
) -> None:
    agent, done = counting(service)
    async with agent.running():
        answers = await asyncio.gather(
            *(service.post("/tasks/submit", task_data={"n": n}) for n in range(40))
        )
        ids = [answer["task_id"] for answer in answers]
        await all_completed(service, ids)
    assert done == dict.fromkeys(ids, 1)
    groups = [one for one in sent.to("") if one.message.type == GROUP_TYPE]
    assert groups
    assert all(one.key == LOG for one in groups)
    assert len(sent.to(WORK)) + len(sent.to(TASKS)) == 40, "each task's publish is seen"


async def test_a_batch_is_few_records_and_each_task_is_done_once(
    service: Service, sent: Sent
) -> None:
    agent, done = counting(service)
    async with agent.running():
        answer = await service.post(
            "/tasks/submit/batch", tasks=[{"task_data": {"n": n}} for n in range(300)]
        )
        ids = [one["task_id"] for one in answer["results"]]
        await all_completed(service, ids)
    assert done == dict.fromkeys(ids, 1)
    groups = [one for one in sent.to("") if one.message.type == GROUP_TYPE]
    assert 0 < len(groups) < 30
    assert len(sent.to(WORK)) == 300


async def test_tasks_that_their_queue_refuses_are_put_there_once_it_is_empty(
    service: Service, broker: Broker
) -> None:
    first = await service.post("/tasks/submit", task_data={})
    full = {
        "pattern": r"^tasks\.any\.normal$",
        "definition": {"max-length": 1},
        "apply-to": "queues",
    }
    await broker.management.put("policies", broker.vhost, "full", body=full)

    async def refused() -> list[str]:
        answer = await service.post(
            "/tasks/submit/batch", tasks=[{"task_data": {"n": n}} for n in range(10)]
        )
        ids.extend(one["task_id"] for one in answer["results"])
        return [one["task_id"] for one in answer["results"] if one["status"] == "unknown"]

    ids = [first["task_id"]]
    left = await eventually(refused)
    assert set(left) < set(ids)
    agent, done = counting(service)
    async with agent.running():
        await all_completed(service, left)
        await all_completed(service, ids)
    assert done == dict.fromkeys(ids, 1)


async def test_tasks_that_the_log_refuses_are_on_their_queues_and_recorded_once_it_takes_them(
    broker: Broker,
) -> None:
    async with submitting_side(broker.url, name=broker.name) as side:
        link = await side.restore()
        halves = HalfPublishedTasks(
            publisher=side.publisher,
            find=_not_found,
            catch_up=_caught_up,
            in_hand=dict,
            depths=side.depths,
            first_pause=timedelta(milliseconds=50),
        )
        publisher = TaskPublisher(side.publisher, halves=halves)
        batches = side.batches_over(publisher)
        full = {
            "pattern": f"^{re.escape(LOG)}$",
            "definition": {"max-length": 1, "overflow": "reject-publish"},
            "apply-to": "queues",
        }
        await broker.management.put("policies", broker.vhost, "full", body=full)
        wishes = [SubmitTask(task_data={"n": n}) for n in range(10)]

        async def refused() -> bool:
            answers = await batches.submit_all(wishes)
            return all(isinstance(answer, OutcomeUnknown) for answer in answers)

        await eventually(refused)
        queued = {message.correlation_id for _, message in await side.take_all(ANY.queue)}
        assert len(halves) == 10

        logged: Counter[str] = Counter()

        async def read_until_all_are_logged() -> bool:
            logged.update(event.data.subject for event in await side.take_log())
            return not len(halves)

        session = asyncio.create_task(halves.session(link))
        await eventually(read_until_all_are_logged)
        await cancel_and_wait(session)
        await read_until_all_are_logged()
        assert {task_id: logged[task_id or ""] for task_id in queued} == dict.fromkeys(queued, 1)


async def _not_found(task_id: str) -> NoReturn:
    raise TaskNotFound(task_id)


async def _caught_up() -> None: ...
