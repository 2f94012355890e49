"""Which way a message came to the log decides what it may be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from coordinator.broker.channel import Channel, Delivery
from coordinator.errors import ForgedIdentity, MalformedMessage
from coordinator.protocol.message import Message
from coordinator.protocol.message_size import LARGEST_STATEMENT
from coordinator.protocol.messages.event_codec.event_encoding import encode, routing_key
from coordinator.protocol.messages.task_group import join_tasks
from coordinator.protocol.name_encoding import DEAD_LETTER_KEY
from coordinator.protocol.topology import CONTROL, EVENTS, LOG, TASKS, UNROUTED, WORK
from coordinator.registry.projection.message_origin import check_origin
from tests.unit.domain.histories import message, started

TASK = message().to_message()
GROUP = join_tasks([TASK, TASK])
QUEUE = message().source.queue
DEATH = {"queue": QUEUE, "reason": "rejected", "exchange": TASKS, "count": 1}
DEAD: dict[str, Any] = {
    "x-first-death-queue": QUEUE,
    "x-first-death-reason": "rejected",
    "x-death": [DEATH],
}


def came(message: Message, exchange: str, key: str) -> Delivery:
    return Delivery(
        message=message,
        exchange=exchange,
        routing_key=key,
        redelivered=False,
        tag=1,
        channel=cast("Channel", None),
    )


def test_a_task_comes_through_the_exchange_of_tasks() -> None:
    check_origin(came(TASK, TASKS, "any.normal"))


@pytest.mark.parametrize("several", [TASK, GROUP])
def test_a_coordinator_puts_tasks_straight_into_the_log(several: Message) -> None:
    check_origin(came(several, "", LOG))


@pytest.mark.parametrize("sent", [TASK, GROUP])
@pytest.mark.parametrize(
    ("exchange", "key"),
    [
        (EVENTS, "any.normal"),
        (EVENTS, "task.ada.started"),
        (EVENTS, "task.~coordinator.submitted"),
        (EVENTS, f"{DEAD_LETTER_KEY}.more"),
        (WORK, "any.normal"),
        (UNROUTED, ""),
        (CONTROL, "agent.ada"),
        ("amq.topic", "any.normal"),
        ("", "any.normal"),
        (TASKS, DEAD_LETTER_KEY),
        ("", DEAD_LETTER_KEY),
    ],
)
def test_a_task_that_came_by_another_way_is_forged(sent: Message, exchange: str, key: str) -> None:
    with pytest.raises(ForgedIdentity, match=r"^a task"):
        check_origin(came(sent, exchange, key))


def test_a_dead_letter_has_the_brokers_own_route() -> None:
    check_origin(came(replace(TASK, headers=DEAD), EVENTS, DEAD_LETTER_KEY))


@pytest.mark.parametrize(
    "wrong",
    [
        {"x-death": None},
        {"x-death": []},
        {"x-death": "rejected"},
        {"x-death": [DEATH | {"queue": "another"}]},
        {"x-death": [DEATH | {"reason": "expired"}]},
        {"x-first-death-queue": None},
        {"x-first-death-queue": "mine", "x-death": [DEATH | {"queue": "mine"}]},
        {"x-first-death-queue": 1, "x-death": [DEATH | {"queue": 1}]},
    ],
)
def test_a_dead_letter_that_no_queue_of_tasks_gave_up_is_malformed(wrong: dict[str, Any]) -> None:
    with pytest.raises(MalformedMessage, match="no queue of tasks"):
        check_origin(came(replace(TASK, headers=DEAD | wrong), EVENTS, DEAD_LETTER_KEY))


def test_an_event_comes_through_the_exchange_of_events() -> None:
    event = started()

    check_origin(came(encode(event), EVENTS, routing_key(event.data)))


@pytest.mark.parametrize("exchange", ["", TASKS, WORK, "amq.topic"])
def test_an_event_that_came_by_another_way_is_forged_whatever_its_key(exchange: str) -> None:
    event = started()
    with pytest.raises(ForgedIdentity, match=r"coordinator\.events"):
        check_origin(came(encode(event), exchange, routing_key(event.data)))


def test_more_about_an_agent_than_is_read_is_malformed_and_an_outcome_may_have_more() -> None:
    large = Message(body=b" " * (LARGEST_STATEMENT + 1), type="agent.heartbeat")
    check_origin(came(replace(large, body=large.body[1:]), EVENTS, "agent.ada.heartbeat"))
    check_origin(came(large, EVENTS, "task.ada.completed"))
    with pytest.raises(MalformedMessage, match="bytes about an agent"):
        check_origin(came(large, EVENTS, "agent.ada.heartbeat"))
