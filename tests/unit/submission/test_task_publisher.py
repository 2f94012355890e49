"""What becomes of tasks that are published together, whichever half of each the broker takes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json

from coordinator.broker.publisher import SURE_SIZE, Ended, Outgoing
from coordinator.errors import (
    BrokerUnavailable,
    CoordinatorError,
    MessageTooLarge,
    OutcomeUnknown,
    PublishNacked,
    PublishRefused,
)
from coordinator.protocol.message import Message
from coordinator.protocol.messages.event_codec.event_reading import read
from coordinator.protocol.messages.task_group import GROUP_TYPE
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.priority import Priority
from coordinator.protocol.topology import LOG, TASKS, WORK
from coordinator.submission.task_publisher import LARGEST, TaskPublisher

NO, NACKED, UNKNOWN = PublishRefused("no"), PublishNacked(), OutcomeUnknown()


class Broker:
    """Answers each publish as ``ends`` says, by the exchange or else the queue, the last for good."""

    sure_size = SURE_SIZE

    def __init__(self) -> None:
        self.sent: list[Outgoing] = []
        self.ends: dict[str, list[Ended]] = {}
        self.left: list[tuple[str, str]] = []
        self.silent: set[str] = set()

    def deadline(self) -> float:
        return asyncio.get_running_loop().time() + 60

    async def check_size(self, size: int) -> None: ...

    def _end(self, one: Outgoing) -> Ended:
        self.sent.append(one)
        ends = self.ends.get(one.exchange or one.key, [None])
        return ends.pop(0) if len(ends) > 1 else ends[0]

    async def publish(
        self, message: Message, *, exchange: str, key: str, mandatory: bool = False
    ) -> None:
        error = self._end(Outgoing(message, exchange, key, mandatory))
        if error is not None:
            raise error

    async def publish_all(
        self, messages: Sequence[Outgoing], *, deadline: float
    ) -> list[CoordinatorError | None]:
        return [self._end(one) for one in messages]

    async def publish_each(
        self,
        messages: Sequence[Outgoing],
        *,
        told: Callable[[int, Ended], None],
        deadline: float,
    ) -> None:
        for index, one in enumerate(messages):
            end = self._end(one)
            if one.message.correlation_id not in self.silent:
                told(index, end)

    def unlogged(self, message: Message) -> None:
        self.left.append(("unlogged", message.correlation_id or ""))

    def unqueued(self, message: Message, *, certain: bool) -> None:
        self.left.append(
            ("unqueued" if certain else "perhaps unqueued", message.correlation_id or "")
        )

    def doubted(self, task_id: str) -> None:
        self.left.append(("doubted", task_id))

    def to(self, exchange: str) -> list[Outgoing]:
        return [one for one in self.sent if exchange in (one.exchange, one.key)]


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def tasks(broker: Broker) -> TaskPublisher:
    return TaskPublisher(broker, halves=broker)


def message(task_id: str, size: int = 0) -> Message:
    return TaskMessage(
        task_id=task_id,
        task_data={"text": "x" * size},
        priority=Priority.NORMAL,
        submitted_at=datetime(2026, 1, 31, 12, tzinfo=UTC),
        task_token="t",
    ).to_message()


async def submitted(tasks: TaskPublisher, *messages: Message) -> list[CoordinatorError | None]:
    """All in one turn of the loop."""
    ends = await asyncio.gather(
        *(tasks.publish(one, exchange=TASKS, key="any.normal") for one in messages),
        return_exceptions=True,
    )
    assert all(end is None or isinstance(end, CoordinatorError) for end in ends)
    return [end if isinstance(end, CoordinatorError) else None for end in ends]


async def test_tasks_of_one_turn_share_a_record_and_go_to_their_queues_behind_it(
    tasks: TaskPublisher, broker: Broker
) -> None:
    three = [message(name) for name in "abc"]
    assert await submitted(tasks, *three) == [None] * 3
    log, *queues = broker.sent
    assert (log.exchange, log.key, log.mandatory) == ("", LOG, True)
    assert log.message.type == GROUP_TYPE
    assert log.message.expiration is None
    assert [from_json(one.body) for one in three] == from_json(log.message.body)
    assert queues == [Outgoing(one, WORK, "any.normal") for one in three]


async def test_one_task_alone_goes_to_queue_and_log_in_one_publish(
    tasks: TaskPublisher, broker: Broker
) -> None:
    alone = message("a")
    assert await submitted(tasks, alone) == [None]
    assert broker.sent == [Outgoing(alone, TASKS, "any.normal")]


async def test_a_large_task_goes_by_itself_and_in_its_place(
    tasks: TaskPublisher, broker: Broker
) -> None:
    sending = [
        Outgoing(one, TASKS, "any.normal")
        for one in (message("a"), message("b"), message("large", LARGEST), message("c"))
    ]
    ends = await tasks.publish_all(sending, deadline=broker.deadline())
    assert list(ends) == [None] * 4
    assert [one.exchange for one in broker.sent] == ["", WORK, WORK, TASKS, TASKS]


async def test_no_record_is_larger_than_the_broker_takes_for_certain(
    tasks: TaskPublisher, broker: Broker
) -> None:
    broker.sure_size = 2_000
    many = [message(f"t{number}", size=300) for number in range(20)]
    assert await submitted(tasks, *many) == [None] * 20
    records = broker.to(LOG)
    assert len(records) > 1
    assert all(len(one.message.body) <= 2_000 for one in records)
    logged = [task["task_id"] for one in records for task in from_json(one.message.body)]
    assert logged == [f"t{number}" for number in range(20)]


async def test_what_is_turned_off_goes_one_by_one(broker: Broker) -> None:
    tasks = TaskPublisher(broker, halves=broker, grouped=False)
    assert await submitted(tasks, message("a"), message("b")) == [None, None]
    assert [one.exchange for one in broker.sent] == [TASKS, TASKS]


@pytest.mark.parametrize(
    ("log", "queue", "told", "left"),
    [
        ([None], [None], type(None), None),
        ([NO], [NO], PublishRefused, None),
        ([BrokerUnavailable()], [BrokerUnavailable()], BrokerUnavailable, None),
        ([NACKED], [NACKED], PublishNacked, None),
        ([NO, None], [None], type(None), None),
        ([NACKED, None], [None], type(None), None),
        ([NO], [None], OutcomeUnknown, "unlogged"),
        ([UNKNOWN], [None], OutcomeUnknown, "unlogged"),
        ([None], [NO, NO, None], type(None), None),
        ([None], [NO], OutcomeUnknown, "unqueued"),
        ([UNKNOWN], [NO], OutcomeUnknown, "unqueued"),
        ([None], [NACKED], PublishNacked, "perhaps unqueued"),
        ([None], [UNKNOWN], OutcomeUnknown, "doubted"),
        ([UNKNOWN], [UNKNOWN], OutcomeUnknown, "doubted"),
        ([NO], [UNKNOWN], OutcomeUnknown, "doubted"),
        ([MessageTooLarge(9, 8)], [UNKNOWN], OutcomeUnknown, None),
    ],
)
async def test_each_half_alone_is_told_and_completed(
    tasks: TaskPublisher,
    broker: Broker,
    log: list[Ended],
    queue: list[Ended],
    told: type,
    left: str | None,
) -> None:
    broker.ends = {LOG: log, WORK: queue}
    ends = await submitted(tasks, message("a"), message("b"))
    assert [type(end) for end in ends] == [told, told]
    assert broker.left == ([] if left is None else [(left, "a"), (left, "b")])


async def test_no_half_is_said_to_be_tried_again_where_none_is(
    tasks: TaskPublisher, broker: Broker
) -> None:
    broker.ends = {LOG: [MessageTooLarge(9, 8)], WORK: [OutcomeUnknown("The channel was closed")]}
    ends = await submitted(tasks, message("a"), message("b"))
    assert [str(end) for end in ends] == ["The channel was closed"] * 2


async def test_a_task_that_is_not_answered_holds_up_no_other_of_its_group(
    tasks: TaskPublisher, broker: Broker
) -> None:
    broker.silent = {"slow"}
    slow = asyncio.create_task(tasks.publish(message("slow"), exchange=TASKS, key="any.low"))
    await tasks.publish(message("quick"), exchange=TASKS, key="any.normal")
    assert not slow.done()
    slow.cancel()
    await asyncio.wait([slow])


async def test_who_does_not_wait_any_more_takes_no_other_along(
    tasks: TaskPublisher, broker: Broker
) -> None:
    gone = asyncio.create_task(tasks.publish(message("gone"), exchange=TASKS, key="any.normal"))
    stays = asyncio.create_task(tasks.publish(message("stays"), exchange=TASKS, key="any.normal"))
    await asyncio.sleep(0)
    gone.cancel()
    await stays
    assert [one.message.correlation_id for one in broker.to(WORK)] == ["gone", "stays"]


@given(st.lists(st.integers(0, 6_000), max_size=12))
def test_the_log_reads_the_same_events_in_the_same_order_either_way(
    sizes: list[int],
) -> None:
    sending = [
        Outgoing(message(f"t{number}", size), TASKS, "any.normal")
        for number, size in enumerate(sizes)
    ]

    async def logged(*, grouped: bool) -> list[object]:
        broker = Broker()
        tasks = TaskPublisher(broker, halves=broker, grouped=grouped)
        assert not any(await tasks.publish_all(sending, deadline=broker.deadline()))
        queued = [one.message for one in broker.sent if one.exchange in (TASKS, WORK)]
        assert queued == [one.message for one in sending]
        records = [one for one in broker.sent if one.exchange != WORK]
        return [event for one in records for event in read(one.message, one.key)]

    assert asyncio.run(logged(grouped=True)) == asyncio.run(logged(grouped=False))
