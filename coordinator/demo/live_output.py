"""Shows partial output: an agent reads a text aloud, and each word is printed as the stream tells it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

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
    async for name, data in client.stream(task_id):
        if name == "stream.end":
            screen.end_of_speech()
            return _tell_end(data, heard, screen)
        _tell(name, data, heard, screen)
    screen.end_of_speech()
    screen.line("The stream of the task broke off", "bold red")
    return False


def _tell(name: str, data: dict[str, Any], heard: _Heard, screen: Screen) -> None:
    if name == "output.chunks":
        heard.first = heard.first or time.monotonic()
        heard.chunks += len(data["chunks"])
        heard.agent_id = data["agent_id"]
        screen.said("".join(map(str, data["chunks"])))
    elif name == "output.missing":
        screen.said(" (some words are missing) ")
    elif name == "output.started" and heard.chunks:
        screen.end_of_speech()
        screen.line(f"Attempt {data['attempt']} begins anew:")


def _tell_end(data: dict[str, Any], heard: _Heard, screen: Screen) -> bool:
    task = data.get("task")
    if task is not None and task["state"] == "completed":
        screen.line(heard.told if heard.chunks else "Not a word was heard", "dim")
        return True
    if task is None:
        why = data["detail"]
    else:
        error = task.get("error") or {}
        why = f"{task['state']}: {error.get('message', 'no reason given')}"
    screen.line(f"It was not read to its end: {why}", "bold red")
    return False
