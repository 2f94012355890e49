"""Remembers tasks of which this process does not know whether their queue has them, for the reconciler."""

from __future__ import annotations

from collections.abc import Collection

__all__ = ["DoubtedTasks"]

MOST = 10_000


class DoubtedTasks:
    """Holds the ids of tasks that may be in the ledger and on no queue, until they have been looked at.

    In order; beyond ``most`` the oldest is forgotten.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._ids: dict[str, None] = {}

    def add(self, task_id: str) -> None:
        """One that is there already keeps its place."""
        self._ids[task_id] = None
        if len(self._ids) > self._most:
            del self._ids[next(iter(self._ids))]

    def all(self) -> list[str]:
        """The oldest first."""
        return list(self._ids)

    def keep(self, task_ids: Collection[str], *, of: Collection[str]) -> None:
        """Forget all ``of`` these but ``task_ids``: they are on no queue by right."""
        for task_id in of:
            if task_id not in task_ids:
                self._ids.pop(task_id, None)
