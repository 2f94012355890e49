"""Attempts without a broker, and what was done with their messages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

from consumers._working.attempt import Attempt, fence_of
from consumers._working.message_acknowledger import MessageAcknowledger
from coordinator.broker.channel import Channel, Delivery
from coordinator.protocol.message import Message
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.priority import Priority
from coordinator.protocol.task_queue import TaskQueue

__all__ = ["AChannel", "Settled", "attempt"]


@dataclass(eq=False)
class AChannel:
    open: bool = True


@dataclass
class Settled:
    """Notes the tags of what would be acknowledged, and given back."""

    acknowledged: list[int] = field(default_factory=list)
    given_back: list[int] = field(default_factory=list)

    def acknowledge(self, deliveries: Iterable[Delivery]) -> None:
        self.acknowledged += [delivery.tag for delivery in deliveries]

    def give_back(self, delivery: Delivery) -> None:
        self.given_back.append(delivery.tag)

    @property
    def receipts(self) -> MessageAcknowledger:
        return cast("MessageAcknowledger", self)


def attempt(
    tag: int, *, priority: str = "normal", returned: int = 0, channel: AChannel | None = None
) -> Attempt:
    """At the task ``tag``, whose message was in other hands ``returned`` times."""
    message = TaskMessage(
        task_id=f"task {tag}",
        task_data={},
        priority=Priority(priority),
        submitted_at=datetime.now(UTC),
        task_token="x",
    )
    delivery = Delivery(
        message=Message(body=b"", headers={"x-delivery-count": returned}),
        exchange="",
        routing_key="",
        redelivered=bool(returned),
        tag=tag,
        channel=cast("Channel", channel or AChannel()),
    )
    return Attempt(
        message,
        TaskQueue("any", Priority(priority)),
        delivery,
        fence=fence_of(message),
        arrived_at=datetime.now(UTC),
    )
