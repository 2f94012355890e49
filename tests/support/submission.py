"""The submitting half of a coordinator on a real broker, without a registry."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any

from coordinator.broker.channel import Delivery
from coordinator.broker.connection import Connection, Link
from coordinator.broker.publisher import Publisher
from coordinator.broker.queue_depths import QueueDepths
from coordinator.broker.queue_drain import drain
from coordinator.domain.announced_types import AnnouncedTypes
from coordinator.domain.task_queues import TaskQueues
from coordinator.errors import TaskNotFound
from coordinator.protocol.message import Message
from coordinator.protocol.messages.events import Event
from coordinator.protocol.messages.new_task import NewTask
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.topology import LOG
from coordinator.recovery.oversized_tasks import OversizedTasks
from coordinator.recovery.queues.unrouted_tasks import UnroutedTasks
from coordinator.submission.batch_submitter import BatchSubmitter
from coordinator.submission.lane_limits import LaneLimits
from coordinator.submission.per_id_lock import PerIdLock
from coordinator.submission.ports import PublishesMany
from coordinator.submission.queue_clearer import QueueClearer
from coordinator.submission.queue_opener import QueueOpener
from coordinator.submission.submitter import Submitter
from coordinator.submission.task_maker import SubmitTask, TaskMaker
from tests.support.decoding import decode

__all__ = ["SubmittingSide", "submitting_side"]

SECRET = b"a secret of the tests"


class SubmittingSide:
    """What a coordinator process has for submitting; ``tasks`` is what it confirmed."""

    def __init__(
        self, *, reading: Connection, looking: Connection, publisher: Publisher, max_lanes: int
    ) -> None:
        self.reading = reading
        self.looking = looking
        self.publisher = publisher
        self.book = TaskQueues()
        self.depths = QueueDepths(lambda: looking.link)
        self.tasks: dict[str, TaskMessage] = {}
        self.noted: list[Event] = []
        self.opener = QueueOpener(
            book=self.book, publisher=publisher, limits=LaneLimits(lanes=max_lanes)
        )
        self._submitting: dict[str, Any] = {
            "ensure": self.opener.ensure,
            "tasks": self,
            "maker": TaskMaker(secret=SECRET, types=AnnouncedTypes()),
            "one_at_a_time": PerIdLock(),
        }
        self.submitter = Submitter(publisher=publisher, **self._submitting)
        self.batches = BatchSubmitter(publisher=publisher, **self._submitting)
        self.clearer = QueueClearer(
            connection=reading, publisher=publisher, book=self.book, note=self.noted.append
        )
        self.unrouted = UnroutedTasks(
            reopen=self.opener.ensure,
            publisher=publisher,
            too_large=OversizedTasks(publisher=publisher, note=self.noted.append),
            secret=SECRET,
            pause=timedelta(milliseconds=100),
        )

    async def submission(self, task_id: str, *, certain: bool = False) -> TaskMessage:
        if task_id not in self.tasks:
            raise TaskNotFound(task_id)
        return self.tasks[task_id]

    async def submissions(
        self, task_ids: Collection[str], *, certain: bool = False
    ) -> dict[str, TaskMessage]:
        return {task_id: self.tasks[task_id] for task_id in task_ids if task_id in self.tasks}

    def note_submitted(self, task: NewTask) -> None:
        self.tasks[task.task_id] = task.model

    def batches_over(self, publisher: PublishesMany) -> BatchSubmitter:
        """Submits batches through another publisher than `publisher`."""
        return BatchSubmitter(publisher=publisher, **self._submitting)

    async def submit(self, **fields: Any) -> str:
        command = SubmitTask(**({"task_data": {"prompt": "test prompt"}} | fields))
        return (await self.submitter.submit(command)).task_id

    async def restore(self) -> Link:
        """On the present link; for tests that have no session running."""
        link = await self.reading.opened_or_refused()
        await self.opener.restore(link)
        await self.publisher.ready()
        await self.looking.opened()
        return link

    @contextmanager
    def running(self, *, unrouted: bool = True) -> Iterator[None]:
        """Restore on each link, and send on what is unrouted, as bootstrap does."""

        async def session(link: Link) -> None:
            await self.opener.restore(link)
            if unrouted:
                await self.unrouted.session(link)
            await link.closed()

        task = asyncio.create_task(self.reading.keep(session))
        try:
            yield
        finally:
            task.cancel()

    async def ready(self) -> None:
        await self.publisher.ready()
        await self.opener.restored()
        await self.looking.opened()

    async def waiting(self, source: TaskQueue) -> int | None:
        """Messages on the queue of ``source``; None where there is no queue."""
        depth = (await self.depths.look([source.queue]))[source.queue]
        return None if depth is None else depth.ready

    async def take_all(self, queue: str) -> list[tuple[str, Message]]:
        """Every message of a queue with its routing key, in order; they are gone from it."""
        found: list[tuple[str, Message]] = []

        async def record(batch: list[Delivery]) -> list[Delivery]:
            found.extend((delivery.routing_key, delivery.message) for delivery in batch)
            return []

        await drain(await self.reading.opened(), queue, record)
        return found

    async def take_log(self) -> list[Event]:
        """Every event of the log, in order."""
        return [
            event for key, message in await self.take_all(LOG) for event in decode(message, key)
        ]


@asynccontextmanager
async def submitting_side(
    url: str, *, name: str, max_lanes: int = 200
) -> AsyncIterator[SubmittingSide]:
    async with (
        Connection(url, name=f"{name} publishing") as publishing,
        Connection(url, name=f"{name} reading") as reading,
        Connection(url, name=f"{name} looking") as looking,
        Publisher(publishing) as publisher,
    ):
        yield SubmittingSide(
            reading=reading, looking=looking, publisher=publisher, max_lanes=max_lanes
        )
