"""Checks which of the tasks that a heartbeat names its agent was given: by the tokens that came with them."""

from __future__ import annotations

from collections.abc import Sequence

from coordinator.domain.task import ANY_ATTEMPT, TasksInHand
from coordinator.protocol.json_values.lenient_reading import LeftOut
from coordinator.protocol.messages.events import AgentHeartbeat, HeldTask, RunningTask
from coordinator.protocol.task_token import token_matches
from coordinator.protocol.topology import DELIVERY_LIMIT

__all__ = ["BELIEVING", "NamedTasks"]

MOST_PROVEN = 2000
"""Tokens of one heartbeat that are looked at: more than any agent has slots, and some milliseconds."""

MOST_FALSE = 5
"""That are told of one heartbeat."""


class NamedTasks:
    """Believes every agent where there is no ``secret``, the key of the task tokens. With one, only a token
    proves that an agent has a task.
    """

    def __init__(self, secret: bytes | None = None) -> None:
        self._secret = secret

    def believed(self, beat: AgentHeartbeat) -> tuple[TasksInHand, tuple[LeftOut, ...]]:
        """The tasks that count as in its hand, and what is said of tokens that are false."""
        named: Sequence[RunningTask | HeldTask] = (*beat.running, *(beat.held or ()))
        if self._secret is None:
            return {(one.task_id, one.generation): ANY_ATTEMPT for one in named}, ()
        found: dict[tuple[str, int], int] = {}
        false: list[LeftOut] = []
        for one in (one for one in named[:MOST_PROVEN] if one.task_token is not None):
            key, delivered = (one.task_id, one.generation), one.attempt - (one.crashes or 0)
            if _is_possible(one) and token_matches(
                self._secret, one.task_id, one.generation, delivered, one.task_token or ""
            ):
                found[key] = max(delivered, found.get(key, 0))
            elif len(false) < MOST_FALSE:
                false.append(_false(one))
        return found, tuple(false)


BELIEVING = NamedTasks()


def _is_possible(one: RunningTask | HeldTask) -> bool:
    return 0 <= (one.crashes or 0) <= min(DELIVERY_LIMIT, one.attempt - 1)


def _false(one: RunningTask | HeldTask) -> LeftOut:
    attempt = f"attempt {one.attempt} of {one.task_id[:100]!r}"
    return LeftOut(
        field="running.task_token" if isinstance(one, RunningTask) else "held.task_token",
        why=f"is not that of {attempt}, which does not count as in its hands",
    )
