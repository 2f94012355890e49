"""What a coordinator that died at moving tasks left behind, on a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from consumers import Task
from coordinator.broker.broker_lock import held
from coordinator.broker.connection import Connection, Link
from coordinator.broker.publisher import Outgoing
from coordinator.domain.announced_types import AnnouncedTypes
from coordinator.domain.task_queues import TaskQueues
from coordinator.errors import CoordinatorError, MessageTooLarge
from coordinator.protocol.ids import new_id
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.topology import MOVING
from coordinator.recovery.oversized_tasks import OversizedTasks
from coordinator.recovery.queues.lane_mover import LaneMover
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.upkeep.missing_tasks import MissingTasks
from coordinator.registry.upkeep.tasks_in_untyped_lanes import TasksInUntypedLanes
from tests.support.broker import Broker
from tests.support.serving import Service, serving
from tests.support.waiting import eventually

OPEN = TaskQueue("any", Priority.NORMAL)
OF_TYPE = TaskQueue("task:sum", Priority.NORMAL)
LIMIT = 4096
"""Bytes that a broker takes that takes little."""
SUM = Requirements(task_type="sum").as_dict()


class AsLastCaughtUp:
    """The ledger as it was when it was caught up with last: as far behind as it may be."""

    def __init__(self, service: Service, ledger: Ledger) -> None:
        self._wait = service.coordinator.registry._catch_up
        self._tasks = TasksInUntypedLanes(ledger)
        self._known: dict[str, set[str]] = {}
        self.task_ids: list[str] = []
        self.caught_up = asyncio.Event()
        self.stands_still = False
        self.asked = 0
        """How many batches were looked up."""
        self.meanwhile: Callable[[], Awaitable[None]] | None = None

    async def catch_up(self) -> None:
        await self._wait()
        if not self.stands_still:
            self._known = await self._tasks.messages(self.task_ids)
        self.caught_up.set()

    async def sources(
        self, sources: Iterable[TaskQueue], task_types: Collection[str]
    ) -> list[TaskQueue]:
        return await self._tasks.sources(sources, task_types)

    async def announced(self) -> set[str]:
        return await self._tasks.announced()

    async def messages(self, task_ids: Collection[str]) -> dict[str, set[str]]:
        self.asked += 1
        if self.meanwhile is not None:
            await self.meanwhile()
            return await self._tasks.messages(task_ids)
        return {task_id: self._known[task_id] for task_id in task_ids if task_id in self._known}


async def depths(service: Service) -> tuple[int, int]:
    """What waits without a type, and on the lane of the type."""
    return await service.broker.depth(OPEN.queue), await service.broker.depth(OF_TYPE.queue)


@asynccontextmanager
async def moving(
    service: Service,
    *task_ids: str,
    types: AnnouncedTypes | None = None,
    publisher: Any = None,
) -> AsyncIterator[tuple[LaneMover, Link, AsLastCaughtUp]]:
    """One that has heard of the type `sum`, or of ``types``; the coordinator itself has not."""
    book = TaskQueues()
    book.add(OPEN, Requirements())
    async with (
        Ledger(f"sqlite:///{service.folder / 'ledger.sqlite3'}") as ledger,
        Connection(service.broker.url, name="moving") as connection,
    ):
        waiting = AsLastCaughtUp(service, ledger)
        waiting.task_ids += task_ids
        mover = LaneMover(
            book=book,
            types=types or AnnouncedTypes(["sum"]),
            waiting=waiting,
            ensure=service.coordinator.opener.ensure,
            publisher=publisher or service.coordinator.publisher,
            too_large=OversizedTasks(
                publisher=service.coordinator.publisher, note=service.coordinator.registry.note
            ),
            catch_up=waiting.catch_up,
        )
        yield mover, await connection.opened_or_refused(), waiting


class TakesLittle:
    """The publisher as it is once the broker's `max_message_size` was lowered."""

    def __init__(self, service: Service) -> None:
        self._publisher = service.coordinator.publisher

    async def publish_all(self, messages: Sequence[Outgoing]) -> list[CoordinatorError | None]:
        sizes = [len(one.message.body) for one in messages]
        small = [one for one, size in zip(messages, sizes, strict=True) if size <= LIMIT]
        ended = iter(await self._publisher.publish_all(small))
        return [next(ended) if size <= LIMIT else MessageTooLarge(size, LIMIT) for size in sizes]


async def test_what_is_too_large_by_now_for_the_lane_of_its_type_is_dead_and_holds_up_no_other(
    broker: Broker, tmp_path: Path
) -> None:
    async with serving(broker, tmp_path) as service:
        sizes = (10, 2 * LIMIT, 10)
        small, large, other = [
            await service.submit(task_data={"task_type": "sum", "text": "x" * size})
            for size in sizes
        ]
        async with moving(service, small, large, other, publisher=TakesLittle(service)) as (
            mover,
            link,
            _,
        ):
            assert await mover.look(link)
        assert await depths(service) == (0, 2)
        ended = await service.ends(large)
        assert (ended["state"], ended["error"]["type"]) == ("dead", "MessageTooLarge")


@pytest.mark.parametrize(
    ("data", "asked", "left"),
    [({"task_type": "sum"}, SUM, (0, 1)), ({}, {}, (1, 1))],
    ids=["moved", "put at the end"],
)
async def test_what_the_holder_of_the_lock_had_sent_when_it_died_is_not_sent_once_more(
    broker: Broker,
    tmp_path: Path,
    data: dict[str, Any],
    asked: dict[str, Any],
    left: tuple[int, int],
) -> None:
    async with serving(broker, tmp_path) as service:
        task_id = new_id()
        await service.submit(task_id=task_id, task_data=data)
        if not data:
            await service.submit(task_data={"task_type": "sum"})
        async with (
            moving(service, task_id) as (mover, link, waiting),
            Connection(broker.url, name="dying") as connection,
        ):
            dying = await connection.opened_or_refused()
            async with held(dying, MOVING):
                looking = asyncio.create_task(mover.look(link))
                await waiting.caught_up.wait()
                # Published and confirmed; the message that it came from is not acknowledged any more.
                await service.submit(
                    task_id=task_id, task_data=data, requirements=asked, republished=1
                )
            await looking
        assert await depths(service) == left


async def test_what_stays_behind_what_came_meanwhile_does_not_look_as_if_it_were_missing(
    broker: Broker, tmp_path: Path
) -> None:
    async with serving(broker, tmp_path) as service:
        stays = (await service.post("/tasks/submit", task_data={}))["task_id"]
        await service.post("/tasks/submit", task_data={"task_type": "sum"})
        later: list[str] = []

        async def meanwhile() -> None:
            later.append((await service.post("/tasks/submit", task_data={}))["task_id"])

        async with moving(service) as (mover, link, waiting):
            waiting.meanwhile = meanwhile
            assert await mover.look(link)
        agent, end = service.agent("ada"), asyncio.Event()

        @agent.default
        async def work(_: Task) -> None:
            await end.wait()

        async with agent.running():
            await service.becomes(later[0], "running")
            assert (await service.task(stays))["state"] == "queued"
            async with Ledger(f"sqlite:///{service.folder / 'ledger.sqlite3'}") as ledger:
                assert await MissingTasks(ledger).look() == []
            end.set()
            await service.ends(stays)


async def test_a_queue_that_was_read_in_vain_is_left_alone_for_a_while(
    broker: Broker, tmp_path: Path
) -> None:
    """What the ledger has there is in hand; all that waits would be sent again each time."""
    async with serving(broker, tmp_path) as service:
        agent, end = service.agent("ada", slots=1), asyncio.Event()

        @agent.default
        async def work(_: Task) -> None:
            await end.wait()

        async with agent.running(), moving(service) as (mover, link, waiting):
            in_hand = (await service.post("/tasks/submit", task_data={"task_type": "sum"}))[
                "task_id"
            ]
            await service.becomes(in_hand, "running")
            await service.post("/tasks/submit", task_data={})
            for _ in range(3):
                assert await mover.look(link)
            assert waiting.asked == 1
            end.set()


async def test_an_attempt_that_came_after_the_ledger_was_read_is_moved_and_not_dropped(
    broker: Broker, tmp_path: Path
) -> None:
    """From a coordinator that has not heard of the type yet; the attempt before it was on its lane."""
    async with serving(broker, tmp_path) as service:
        task_id, data = new_id(), {"task_type": "sum"}
        await service.submit(task_id=task_id, task_data=data, requirements=SUM)
        async with moving(service, task_id) as (mover, link, waiting):
            await waiting.catch_up()
            waiting.stands_still = True
            await service.submit(task_id=task_id, task_data=data, attempt=2)
            await mover.look(link)
        assert await depths(service) == (0, 2)

        async def known() -> bool:
            return bool((await service.task(task_id))["lane"] == OF_TYPE.lane)

        await eventually(known)


async def test_a_type_that_was_announced_while_a_coordinator_did_not_hear_is_read_from_the_ledger(
    broker: Broker, tmp_path: Path
) -> None:
    async with serving(broker, tmp_path) as service:
        types = AnnouncedTypes()
        async with moving(service, types=types) as (mover, link, _):
            told = {"agent_id": "ada", "agent_type": "worker", "task_types": ["sum"]}
            await service.post("/agents/register", **told)
            assert "sum" not in types
            await mover.look(link)
        assert types.fresh == {"sum"}
