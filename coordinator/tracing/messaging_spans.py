"""Names spans and their attributes by OpenTelemetry's conventions for messaging, and for RabbitMQ."""

from __future__ import annotations

from opentelemetry.trace import Span, Status, StatusCode

from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.topology import TASKS

__all__ = [
    "PROCESS",
    "SCOPE",
    "SEND",
    "destination",
    "fail",
    "messaging_attributes",
    "where_tasks_are",
]

SCOPE = "agent_coordinator"
"""The name of the tracer, and what the project's own attributes begin with."""

SEND, PROCESS = "send", "process"
"""Operations: a message is given to the broker, and what is in one is done."""

DEFAULT_EXCHANGE = "amq.default"
"""How the conventions call the exchange without a name."""


def destination(exchange: str, key: str) -> str:
    """Where a message goes, in one word."""
    return f"{exchange or DEFAULT_EXCHANGE}:{key}"


def where_tasks_are(source: TaskQueue) -> str:
    """The queue that an agent has a task from, as the conventions name one."""
    return f"{destination(TASKS, source.key)}:{source.queue}"


def messaging_attributes(
    operation: str, where: str, *, key: str, message_id: str | None, task_id: str | None
) -> dict[str, str]:
    """Of a span about one message; the task is what the conventions call a conversation."""
    known = {
        "messaging.system": "rabbitmq",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": where,
        "messaging.rabbitmq.destination.routing_key": key,
        "messaging.message.id": message_id,
        "messaging.message.conversation_id": task_id,
    }
    return {name: value for name, value in known.items() if value}


def fail(span: Span, error: str, why: str) -> None:
    """Mark it as failed; ``error`` is the name of a class, ``why`` for people."""
    span.set_attribute("error.type", error)
    span.set_status(Status(StatusCode.ERROR, why))
