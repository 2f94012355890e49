"""Counts the agents that were lost with a task in hand, and ends a task that takes one after another."""

from __future__ import annotations

from coordinator.broker.channel import Delivery
from coordinator.protocol.messages.events import CRASH_LOOP
from coordinator.protocol.messages.task_message import TaskMessage

from ..outcome import Failed
from .give_back_limit import GIVE_BACKS

__all__ = ["counted", "crash_loop", "crashes", "may_have_crashed"]


def crashes(delivery: Delivery) -> int:
    """How many agents, at least, were lost with this message in hand.

    The broker counts a message that was only held, or given back by a busy agent, like one whose
    agent died, so the first returns are not held against it (docs/decisions/0008). Where a broker
    tells them apart, `failure_count` already leaves out what was given back.
    """
    return max(0, delivery.failure_count - GIVE_BACKS)


def may_have_crashed(delivery: Delivery) -> bool:
    """Whether no busy agent gives it back any more, so that whoever has it next may be lost."""
    return delivery.failure_count >= GIVE_BACKS


def counted(message: TaskMessage, delivery: Delivery) -> TaskMessage:
    """``message`` with the number of this attempt: each crash was one, too.

    Never beyond `max_attempts`: of a task that may not be started, it is the last that was lost.
    """
    lost = crashes(delivery)
    if not lost:
        return message
    number = min(message.attempt + lost, max(message.attempt, message.max_attempts))
    return message.model_copy(update={"attempt": number})


def crash_loop(message: TaskMessage, delivery: Delivery) -> Failed | None:
    """How a task ends that crashes have cost all its attempts; None where it may be started."""
    lost = crashes(delivery)
    if lost and message.attempt + lost > message.max_attempts:
        return Failed(CRASH_LOOP, retryable=False)
    return None
