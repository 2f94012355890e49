"""What `coordinator.unrouted` is emptied of while the broker does not take it."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from coordinator.broker.channel import Channel, Delivery
from coordinator.errors import BrokerUnavailable
from coordinator.protocol.message import Message
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.task_token import task_token
from coordinator.recovery.oversized_tasks import OversizedTasks
from coordinator.recovery.queues.unrouted_tasks import UnroutedTasks
from tests.unit.domain.histories import message

SECRET = bytes(32)


class Away:
    """A broker that opens queues and takes no message."""

    async def ensure(self, source: TaskQueue, requirements: Requirements, *, again: bool) -> None:
        assert again

    async def publish(
        self, message: Message, *, exchange: str, key: str, mandatory: bool = False
    ) -> None:
        raise BrokerUnavailable


def unrouted(message: Message, key: str) -> Delivery:
    return Delivery(
        message=message,
        exchange="coordinator.work",
        routing_key=key,
        redelivered=False,
        tag=1,
        channel=cast("Channel", None),
    )


async def test_a_task_that_cannot_be_sent_on_now_is_named_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broker = Away()
    tasks = UnroutedTasks(
        reopen=broker.ensure,
        publisher=broker,
        too_large=OversizedTasks(publisher=broker, note=lambda _: None),
        secret=SECRET,
    )
    token = task_token(SECRET, "lost", 1, 1)
    task = message("lost", task_data={"task_type": "sum"}, task_token=token)
    strange = Message(body=b"hello", type="greeting")
    await tasks._send_on([unrouted(task.to_message(), task.source.key), unrouted(strange, "any")])
    of_task, of_stranger = (
        vars(one) for one in caplog.records if one.getMessage().startswith("could not send on")
    )
    assert (of_task["task_id"], of_task["attempt"], of_task["task_type"]) == ("lost", 1, "sum")
    assert of_task["routing_key"] == task.source.key
    assert of_stranger["routing_key"] == "any"
    assert "task_id" not in of_stranger


class Open(Away):
    """A broker that takes every message, and the channel that it came on."""

    def __init__(self) -> None:
        self.published: list[TaskMessage] = []

    async def publish(
        self, message: Message, *, exchange: str, key: str, mandatory: bool = False
    ) -> None:
        self.published.append(TaskMessage.from_message(message))

    async def ack(self, tag: int, *, multiple: bool) -> None: ...


async def test_a_follow_up_task_that_is_sent_on_stays_its_parents_and_bound_to_it() -> None:
    broker = Open()
    tasks = UnroutedTasks(
        reopen=broker.ensure,
        publisher=broker,
        too_large=OversizedTasks(publisher=broker, note=lambda _: None),
        secret=SECRET,
    )
    token = task_token(SECRET, "lost", 1, 1)
    task = message("lost", task_token=token, parent_id="parent", cancel_with_parent=3)
    delivery = unrouted(task.to_message(), task.source.key)
    await tasks._send_on([replace(delivery, channel=cast("Channel", broker))])
    (again,) = broker.published
    assert (again.parent_id, again.cancel_with_parent) == ("parent", 3)
