"""Shows partial output: an agent reads a text aloud, and each word is printed as the stream tells it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from coordinator.client import (
    OutputChunks,
    OutputMissing,
    OutputStarted,
    Task,
    TaskEnded,
    TaskStreamItem,
)
from coordinator.errors import OperatorError
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Profile, Requirements

from .api_client import ApiClient
from .demo_tasks import Order, Work
from .terminal_screen import Screen, in_words

__all__ = ["show_output"]

TEXT = (
    "The book was the heart of it. Each train had a line. The man on duty wrote when it was offered to him,"
    " when he accepted it, and when it passed; and whoever looked over his shoulder could read along."
)

READING = Work(
    label="read-aloud",
    task_data={"task_type": "read-aloud", "text": TEXT, "words_per_second": 20},
    requirements=Requirements(capabilities=("text-analysis",)),
    tell=lambda result: f"{result['words']} words",
)


@dataclass(slots=True)
class _Heard:
    began: float
    chunks: int = 0
    first: float = 0.0
    """When the first came; ``began`` is when the task was accepted."""
    agent_id: str = ""

    @property
    def told(self) -> str:
        took = timedelta(seconds=time.monotonic() - self.began)
        first = timedelta(seconds=self.first - self.began)
        of_whom = f"{self.chunks} words of {self.agent_id}"
        return f"{of_whom} in {in_words(took)}, the first after {in_words(first)}"


async def show_output(client: ApiClient, agents: Sequence[Profile], screen: Screen) -> bool:
    """Whether the task completed; True where no agent says that it does such. Raises `OperatorError`."""
    if not any(agent.task_types and agent.satisfies(READING.asks) for agent in agents):
        return True
    screen.line("\nPartial output, word by word as an agent emits it", "bold")
    task_id = await client.submit(Order(work=READING, priority=Priority.URGENT))
    heard = _Heard(time.monotonic())
    try:
        async for item in client.stream(task_id):
            if isinstance(item, TaskEnded):
                screen.end_of_speech()
                return _tell_end(item.task, heard, screen)
            _tell(item, heard, screen)
    except OperatorError as exc:
        screen.end_of_speech()
        _tell_why_not(str(exc), screen)
    return False


def _tell(item: TaskStreamItem, heard: _Heard, screen: Screen) -> None:
    match item:
        case OutputChunks():
            heard.first = heard.first or time.monotonic()
            heard.chunks += len(item.chunks)
            heard.agent_id = item.agent_id
            screen.said("".join(map(str, item.chunks)))
        case OutputMissing():
            screen.said(" (some words are missing) ")
        case OutputStarted() if heard.chunks:
            screen.end_of_speech()
            screen.line(f"Attempt {item.attempt} begins anew:")


def _tell_end(task: Task, heard: _Heard, screen: Screen) -> bool:
    if task.state == "completed":
        screen.line(heard.told if heard.chunks else "Not a word was heard", "dim")
        return True
    said = "no reason given" if task.error is None else task.error.message
    _tell_why_not(f"{task.state}: {said}", screen)
    return False


def _tell_why_not(why: str, screen: Screen) -> None:
    screen.line(f"It was not read to its end: {why}", "bold red")
