"""Checks the way by which a message came to the log, or to a process's live queue. Pure.

    coordinator.tasks ──▶ a task that a coordinator submits; several at a time, or one whose time is to
                          come, it puts into the log past the exchanges
    a task queue ──▶ coordinator.events, with one key ──▶ a task that RabbitMQ gave up
    coordinator.events ──▶ what anybody else says

A routing key says who speaks only where the broker has guarded it: whoever may publish to its default
exchange can have a message with any key delivered to any queue (`CC`).
"""

from __future__ import annotations

from typing import Any

from coordinator.broker.channel import Delivery
from coordinator.errors import ForgedIdentity, MalformedMessage
from coordinator.protocol.message_size import LARGEST_STATEMENT
from coordinator.protocol.messages.task_group import is_task_group
from coordinator.protocol.messages.task_message import TASK_TYPE
from coordinator.protocol.name_encoding import DEAD_LETTER_KEY
from coordinator.protocol.topology import EVENTS, LOG, TASKS

__all__ = ["check_origin"]


def check_origin(delivery: Delivery) -> None:
    """Raises `ForgedIdentity`, or `MalformedMessage` for a dead letter that no queue has given up, and for
    more about an agent than is read.
    """
    if not _holds_tasks(delivery):
        if delivery.exchange != EVENTS:
            raise ForgedIdentity(f"an event that did not come through {EVENTS}: {_way(delivery)}")
        _check_size(delivery)
    elif delivery.exchange == EVENTS:
        if delivery.routing_key != DEAD_LETTER_KEY:
            raise ForgedIdentity(f"a task was published as an event: {_way(delivery)}")
        _check_death(delivery.message.headers)
    elif delivery.routing_key == DEAD_LETTER_KEY or not _submitted(delivery):
        raise ForgedIdentity(f"a task that did not come through {TASKS}: {_way(delivery)}")


def _holds_tasks(delivery: Delivery) -> bool:
    return delivery.message.type == TASK_TYPE or is_task_group(delivery.message)


def _submitted(delivery: Delivery) -> bool:
    return delivery.exchange == TASKS or (delivery.exchange, delivery.routing_key) == ("", LOG)


def _check_size(delivery: Delivery) -> None:
    """Of what is said about agents all is kept in memory, in each process."""
    size = len(delivery.message.body)
    if size > LARGEST_STATEMENT and delivery.routing_key.startswith("agent."):
        raise MalformedMessage(
            f"{size} bytes about an agent, and at most {LARGEST_STATEMENT} are read"
        )


def _way(delivery: Delivery) -> str:
    through = delivery.exchange or "the default exchange"
    return f"through {through}, with the routing key {delivery.routing_key!r}"


def _check_death(headers: Any) -> None:
    """The broker writes twice which queue it was and why: once for the first time, once for each."""
    queue, reason = headers.get("x-first-death-queue"), headers.get("x-first-death-reason")
    deaths = headers.get("x-death")
    of_a_queue = isinstance(queue, str) and queue.startswith("tasks.")
    listed = isinstance(deaths, list) and any(
        isinstance(one, dict) and (one.get("queue"), one.get("reason")) == (queue, reason)
        for one in deaths
    )
    if not (of_a_queue and listed):
        raise MalformedMessage(
            f"a dead-lettered task that no queue of tasks has given up: queue {queue!r}, {reason!r}"
        )
