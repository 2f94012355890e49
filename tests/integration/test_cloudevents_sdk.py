"""A task's life told by CloudEvents' own SDK, each event in another of the forms that it writes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.bindings import amqp, rabbitmq
from cloudevents.core.bindings.amqp import AMQPMessage
from cloudevents.core.bindings.rabbitmq import RabbitMQMessage
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from coordinator.protocol.message import Message
from tests.support.broker import Broker
from tests.support.registering import registering_side
from tests.support.waiting import eventually

BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def event(kind: str, data: dict[str, Any]) -> CloudEvent:
    return CloudEvent({"type": kind, "source": "/agents/ada", "subject": "t", "time": BEGAN}, data)


def over_amqp(message: AMQPMessage) -> Message:
    return Message(
        body=message.application_data,
        headers=message.application_properties,
        content_type=message.properties.get("content-type"),
    )


def with_colons(message: Message) -> Message:
    """AMQP's other spelling, which this SDK reads and does not write."""
    headers = {name.replace("_", ":", 1): value for name, value in message.headers.items()}
    return Message(body=message.body, headers=headers, content_type=message.content_type)


def over_rabbitmq(message: RabbitMQMessage) -> Message:
    return Message(body=message.body, headers=message.headers, content_type=message.content_type)


def batched(message: AMQPMessage) -> Message:
    """The SDK writes no batches: its structured event, among brackets."""
    return Message(
        body=b"[" + message.application_data + b"]",
        content_type="application/cloudevents-batch+json; charset=utf-8",
    )


FORMS: dict[str, Callable[[CloudEvent], Message]] = {
    "binary": lambda one: over_amqp(amqp.to_binary(one, JSONFormat())),
    "binary with colons": lambda one: with_colons(over_amqp(amqp.to_binary(one, JSONFormat()))),
    "structured": lambda one: over_amqp(amqp.to_structured(one, JSONFormat())),
    "RabbitMQ, binary": lambda one: over_rabbitmq(rabbitmq.to_binary(one, JSONFormat())),
    "RabbitMQ, structured": lambda one: over_rabbitmq(rabbitmq.to_structured(one, JSONFormat())),
    "batch": lambda one: batched(amqp.to_structured(one, JSONFormat())),
}


@pytest.mark.parametrize("form", FORMS)
async def test_a_whole_task_told_by_the_sdk_is_completed(
    broker: Broker, tmp_path: Path, form: str
) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.sqlite3'}"
    async with registering_side(broker.url, name=broker.name, ledger_url=url) as side:
        side.start("projector")
        task = await side.submit("t")
        fence = {"task_id": "t", "generation": 1, "attempt": 1, "agent_id": "ada"}
        proof = {"task_token": task.task_token}
        for what, more in (
            ("started", {}),
            ("progress", {"fraction": 0.5, "message": "half"}),
            ("completed", {"result": {"reversed": "desserts"}, **proof}),
        ):
            told = FORMS[form](event(f"task.{what}", {**fence, **more}))
            await side.publish(told, f"task.ada.{what}")

        async def ended() -> bool:
            return (await side.registry.task("t")).state == "completed"

        await eventually(ended)
        view = await side.registry.task("t")
        assert view.result == {"reversed": "desserts"}
        assert view.progress is not None
        assert view.progress["fraction"] == 0.5

        def times() -> list[datetime]:
            return [one.time for one in side.folded if one.data.author == "ada"]

        await eventually(lambda: len(times()) == 3)  # the ledger has it a moment before
        assert times() == [BEGAN] * 3
