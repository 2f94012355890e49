"""Shows partial output: an agent reads a document aloud, and each word is printed as its task's stream tells
it.
"""

from __future__ import annotations

from collections.abc import Sequence

from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Profile, Requirements

from .api_client import ApiClient
from .demo_tasks import Order, Work
from .terminal_screen import Screen

__all__ = ["show_output"]

TEXT = (
    "The book was the heart of it. Each train had a line. The man on duty wrote when it was offered to him,"
    " when he accepted it, and when it passed; and whoever looked over his shoulder could read along."
)

READING = Work(
    label="read-aloud",
    task_data={"task_type": "read-aloud", "text": TEXT, "words_per_second": 25},
    requirements=Requirements(capabilities=("text-analysis",)),
    tell=lambda result: f"{result['words']} words",
)


async def show_output(client: ApiClient, agents: Sequence[Profile], screen: Screen) -> bool:
    """Whether the task completed; True where no agent says that it does such. Raises `OperatorError`."""
    if not any(agent.task_types and agent.satisfies(READING.asks) for agent in agents):
        return True
    screen.line("")
    screen.line("Partial output: a task of the librarian, word by word as it is emitted")
    task_id = await client.submit(Order(work=READING, priority=Priority.URGENT))
    words = 0
    async for name, data in client.stream(task_id):
        if name == "output.chunks":
            words += len(data["chunks"])
            screen.text("".join(map(str, data["chunks"])))
        elif name == "output.missing":
            screen.text(" (some words are missing) ")
        elif name == "stream.end":
            screen.line("")
            well = data.get("task", {}).get("state") == "completed"
            screen.line(f"{words} words, each as it was said" if well else data["detail"])
            return bool(well)
    return False
