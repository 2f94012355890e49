"""Takes what an agent says of an attempt as being of the message that it was given, and of no later one.

An agent that is given a message after others were lost over it counts them: its attempt is higher than
the one that the message carries, whose token it has. So has whoever was given the message before, and
was not lost. What it says counts as said of the message's own attempt, once that has failed or a later
one was put on the queue: an old attempt ends nothing later.
"""

from __future__ import annotations

from typing import TypeVar

from coordinator.domain.task import Task
from coordinator.protocol.messages.events import AgentsTaskEvent

__all__ = ["of_its_own_attempt"]

Said = TypeVar("Said", bound=AgentsTaskEvent)


def of_its_own_attempt(task: Task, data: Said) -> Said:
    """``data``, or what it may say at most."""
    if not data.crashes:
        return data
    delivered = data.attempt - data.crashes
    spent = delivered <= task.failed < data.attempt
    overtaken = delivered < task.published <= data.attempt
    if not (spent or overtaken):
        return data
    return data.model_copy(update={"attempt": delivered, "crashes": None})
