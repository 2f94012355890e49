"""Stands for a task that was submitted, to whoever waits for it by blocking."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from .calls.task_waiting import result_of
from .models.accepted_tasks import Accepted, Cancelled
from .models.stream_items import TaskStreamItem
from .models.tasks import Explanation, Task

if TYPE_CHECKING:
    from .client import Client

__all__ = ["TaskHandle"]


class TaskHandle:
    """Is one task. Handles may be used from several threads."""

    def __init__(self, client: Client, accepted: Accepted) -> None:
        self._client = client
        self.accepted = accepted
        """What the submission was answered; of a handle that was made for an id, the id alone."""
        self.ended: Task | None = None
        """The task at its end, once that was waited for."""

    def __repr__(self) -> str:
        return f"TaskHandle({self.task_id!r})"

    @property
    def task_id(self) -> str:
        return self.accepted.task_id

    def task(self) -> Task:
        """The task as it stands now."""
        return self._client.task(self.task_id)

    def wait(self, timeout: float | None = None) -> Task:
        """The task at its end, however it ended. Raises `WaitTimedOut` after ``timeout`` seconds."""
        if self.ended is None:
            self.ended = self._client.wait(self.task_id, timeout)
        return self.ended

    def result(self, timeout: float | None = None) -> Any:
        """What the agent returned. Raises `TaskDead`, `TaskCancelled` or `TaskExpired` where there is no
        result, and `WaitTimedOut` after ``timeout`` seconds.
        """
        return result_of(self.wait(timeout))

    def stream(
        self, *, after: int | None = None, timeout: float | None = None
    ) -> Generator[TaskStreamItem, None, None]:
        """The timeline, what happens to it, what it says while it works, and last a `TaskEnded`."""
        return self._client.stream(self.task_id, after=after, timeout=timeout)

    def cancel(self, reason: str | None = None) -> Cancelled:
        """End it. Raises `Conflict` where it has ended."""
        return self._client.cancel(self.task_id, reason)

    def explain(self) -> Explanation:
        """Why it is where it is."""
        return self._client.explain(self.task_id)
