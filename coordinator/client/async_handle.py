"""Stands for a task that was submitted, to whoever waits for it in an event loop."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from .calls.task_waiting import result_of
from .models.accepted_tasks import Accepted, Cancelled
from .models.stream_items import TaskStreamItem
from .models.tasks import Explanation, Task

if TYPE_CHECKING:
    from .async_client import AsyncClient

__all__ = ["AsyncTaskHandle"]


class AsyncTaskHandle:
    """Is one task."""

    def __init__(self, client: AsyncClient, accepted: Accepted) -> None:
        self._client = client
        self.accepted = accepted
        """What the submission was answered; of a handle that was made for an id, the id alone."""
        self.ended: Task | None = None
        """The task at its end, once that was waited for."""

    def __repr__(self) -> str:
        return f"AsyncTaskHandle({self.task_id!r})"

    @property
    def task_id(self) -> str:
        return self.accepted.task_id

    async def task(self) -> Task:
        """The task as it stands now."""
        return await self._client.task(self.task_id)

    async def wait(self, timeout: float | None = None) -> Task:
        """The task at its end, however it ended. Raises `WaitTimedOut` after ``timeout`` seconds."""
        if self.ended is None:
            self.ended = await self._client.wait(self.task_id, timeout)
        return self.ended

    async def result(self, timeout: float | None = None) -> Any:
        """What the agent returned. Raises `TaskDead`, `TaskCancelled` or `TaskExpired` where there is no
        result, and `WaitTimedOut` after ``timeout`` seconds.
        """
        return result_of(await self.wait(timeout))

    def stream(
        self, *, after: int | None = None, timeout: float | None = None
    ) -> AsyncGenerator[TaskStreamItem, None]:
        """The timeline, what happens to it, what it says while it works, and last a `TaskEnded`."""
        return self._client.stream(self.task_id, after=after, timeout=timeout)

    async def cancel(self, reason: str | None = None) -> Cancelled:
        """End it. Raises `Conflict` where it has ended."""
        return await self._client.cancel(self.task_id, reason)

    async def explain(self) -> Explanation:
        """Why it is where it is."""
        return await self._client.explain(self.task_id)
