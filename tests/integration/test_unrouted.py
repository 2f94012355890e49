"""Tasks whose queue was deleted by hand, and what else turns up where nothing is bound."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

import pytest

from coordinator.errors import MalformedMessage, MessageTooLarge
from coordinator.protocol.message import Message
from coordinator.protocol.messages.events import TaskTooLarge
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.topology import LOG, TASKS, UNROUTED, WORK
from coordinator.recovery.queues.unrouted_tasks import CUT_FROM, PARKED_FROM
from tests.support.broker import Broker
from tests.support.decoding import decode
from tests.support.submission import SubmittingSide, submitting_side
from tests.support.waiting import eventually

GPU = Requirements(capabilities=("gpu",))
SOURCE = TaskQueue("cap:gpu", Priority.NORMAL)
ANY = TaskQueue("any", Priority.NORMAL)


@pytest.fixture
async def side(broker: Broker) -> AsyncIterator[SubmittingSide]:
    async with submitting_side(broker.url, name=broker.name) as side:
        with side.running():
            await side.ready()
            yield side


async def test_a_task_submitted_after_its_queue_was_deleted_is_on_the_reopened_queue(
    side: SubmittingSide, broker: Broker
) -> None:
    await side.submit(requirements=GPU)
    await broker.delete_queue(SOURCE.queue)

    task_id = await side.submit(requirements=GPU)

    await reached(side, SOURCE, 1)
    [(key, message)] = await side.take_all(SOURCE.queue)
    assert key == SOURCE.key
    assert TaskMessage.from_message(message) == side.tasks[task_id]
    assert not [name for name in message.headers if name.startswith("x-first-death")]
    assert await broker.depth(UNROUTED) == 0


async def test_many_tasks_of_deleted_queues_all_arrive_once(
    side: SubmittingSide, broker: Broker
) -> None:
    lanes = [Requirements(capabilities=(name,)) for name in ("a", "b", "c")]
    for wanted in lanes:
        await side.submit(requirements=wanted)
    sources = [TaskQueue(f"cap:{name}", Priority.NORMAL) for name in ("a", "b", "c")]
    for source in sources:
        await broker.delete_queue(source.queue)

    expected = {
        source: {await side.submit(requirements=wanted) for _ in range(30)}
        for source, wanted in zip(sources, lanes, strict=True)
    }

    for source in sources:
        await reached(side, source, 30)
        found = await side.take_all(source.queue)
        assert {message.correlation_id for _, message in found} == expected[source]


async def test_what_is_no_task_is_parked_in_the_log_with_the_place_it_was_found(
    side: SubmittingSide, broker: Broker
) -> None:
    strange = Message(body=b"hello", type="greeting", headers={"x-lap": 1, "who": "me"})
    await side.publisher.publish(strange, exchange=WORK, key="nobody.knows")

    async def parked() -> bool:
        return await broker.depth(LOG) == 1 and await broker.depth(UNROUTED) == 0

    await eventually(parked)
    [(key, message)] = await side.take_all(LOG)
    assert (message.body, message.type) == (b"hello", "greeting")
    assert message.headers == {"who": "me", PARKED_FROM: f"{UNROUTED} (nobody.knows)"}
    with pytest.raises(MalformedMessage):
        decode(message, key)


async def test_a_task_that_no_coordinator_has_made_opens_no_queue_and_reaches_no_agent(
    side: SubmittingSide, broker: Broker
) -> None:
    made = side.tasks[await side.submit()]
    await side.take_all(LOG)
    wanted = {"requirements": GPU.as_dict(), "task_id": "forged"}
    forged = made.model_copy(update=wanted).to_message()
    await side.publisher.publish(forged, exchange=WORK, key=SOURCE.key)

    async def parked() -> bool:
        return await broker.depth(LOG) == 1 and await broker.depth(UNROUTED) == 0

    await eventually(parked)
    assert SOURCE.queue not in await broker.queues()


async def test_a_task_that_is_too_large_by_now_for_its_reopened_queue_has_its_end_in_the_log(
    side: SubmittingSide, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker's `max_message_size` was lowered while the task was on its way."""
    await side.submit(requirements=GPU)
    await side.take_all(LOG)
    await broker.delete_queue(SOURCE.queue)
    publish, limit = side.publisher.publish, 4096

    async def takes_little(message: Message, *, exchange: str, key: str, **more: bool) -> None:
        if exchange in {WORK, UNROUTED, ""} and len(message.body) > limit:
            raise MessageTooLarge(len(message.body), limit)
        await publish(message, exchange=exchange, key=key, **more)

    monkeypatch.setattr(side.publisher, "publish", takes_little)
    large = await side.submit(requirements=GPU, task_data={"text": "x" * limit})
    small = await side.submit(requirements=GPU)

    await reached(side, SOURCE, 1)
    [(_, message)] = await side.take_all(SOURCE.queue)
    assert message.correlation_id == small
    await eventually(lambda: side.noted)
    (told,) = [event.data for event in side.noted]
    assert isinstance(told, TaskTooLarge)
    assert (told.task_id, told.limit) == (large, limit)

    async def gone() -> bool:
        return await broker.depth(UNROUTED) == 0

    await eventually(gone)
    assert [message.type for _, message in await side.take_all(LOG)].count(told.TYPE) == 1


async def test_of_what_is_no_task_and_too_large_by_now_the_beginning_is_parked(
    side: SubmittingSide, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was tried again for ever."""
    publish, limit = side.publisher.publish, 4096
    body = b"x" * (limit + 1)

    async def takes_little(message: Message, *, exchange: str, key: str, **more: bool) -> None:
        if len(message.body) > limit:
            raise MessageTooLarge(len(message.body), limit)
        await publish(message, exchange=exchange, key=key, **more)

    monkeypatch.setattr(side.publisher, "publish", takes_little)
    await publish(Message(body=body, type="greeting"), exchange=WORK, key="nobody.knows")

    async def parked() -> bool:
        return await broker.depth(LOG) == 1 and await broker.depth(UNROUTED) == 0

    await eventually(parked)
    [(_, message)] = await side.take_all(LOG)
    assert message.body == body[:limit]
    digest = hashlib.sha256(body).hexdigest()
    assert message.headers[CUT_FROM] == f"{limit + 1} bytes, SHA-256 {digest}"


async def test_a_broken_task_does_not_hold_up_the_tasks_behind_it(
    side: SubmittingSide, broker: Broker
) -> None:
    await side.submit(requirements=GPU)
    await broker.delete_queue(SOURCE.queue)
    await side.publisher.publish(Message(body=b"{}", type="task"), exchange=TASKS, key=SOURCE.key)
    task_id = await side.submit(requirements=GPU)

    await reached(side, SOURCE, 1)
    [(_, message)] = await side.take_all(SOURCE.queue)
    assert message.correlation_id == task_id
    assert await broker.depth(UNROUTED) == 0


async def test_a_task_of_a_lane_that_nobody_knows_opens_it(
    side: SubmittingSide, broker: Broker
) -> None:
    task_id = await side.submit(requirements=GPU)
    task = side.tasks[task_id]
    await broker.delete_queue(SOURCE.queue)
    side.book.discard(SOURCE)

    await side.publisher.publish(task.to_message(), exchange=TASKS, key=SOURCE.key)

    await reached(side, SOURCE, 1)
    assert SOURCE in side.book


async def test_a_queue_that_cannot_be_opened_holds_up_no_other_and_loses_nothing(
    side: SubmittingSide, broker: Broker
) -> None:
    await side.submit(requirements=GPU)
    await side.submit()
    for source in (SOURCE, ANY):
        await broker.delete_queue(source.queue)
    of_another_kind = {"durable": True, "arguments": {}}
    await broker.management.put("queues", broker.vhost, SOURCE.queue, body=of_another_kind)

    stuck = await side.submit(requirements=GPU)
    await side.submit()
    await reached(side, ANY, 1)
    assert await side.waiting(SOURCE) == 0

    await broker.delete_queue(SOURCE.queue)
    await reached(side, SOURCE, 1)
    [(_, message)] = await side.take_all(SOURCE.queue)
    assert message.correlation_id == stuck


async def reached(side: SubmittingSide, source: TaskQueue, count: int) -> None:
    async def there() -> bool:
        return await side.waiting(source) == count

    await eventually(there)
