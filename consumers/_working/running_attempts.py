"""Holds the attempts whose handlers run, and tells handlers to stop."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from coordinator.protocol.messages.events import RunningTask
from coordinator.protocol.messages.task_message import InputAnswer

from .._handling.stop_reason import StopReason
from .attempt import Attempt, Fence

__all__ = ["RunningAttempts"]


class RunningAttempts:
    """Knows attempts by their fence, from the start of the handler until its end is reported."""

    def __init__(self) -> None:
        self._running: dict[Fence, Attempt] = {}

    def __iter__(self) -> Iterator[Attempt]:
        return iter(self._running.values())

    def find(self, fence: Fence) -> Attempt | None:
        return self._running.get(fence)

    def add(self, attempt: Attempt) -> None:
        self._running[attempt.fence] = attempt

    def remove(self, attempt: Attempt) -> None:
        self._running.pop(attempt.fence, None)

    def described(self) -> list[RunningTask]:
        """As a heartbeat tells of them."""
        return [attempt.described() for attempt in self._running.values()]

    def cancel(self, task_id: str, generation: int) -> None:
        """Stop working on a task that has ended; nothing happens where it is not running."""
        for attempt in list(self._running.values()):
            if (attempt.message.task_id, attempt.message.generation) == (task_id, generation):
                attempt.ask_to_stop(StopReason.CANCELLED)

    def give_answer(self, task_id: str, generation: int, answer: InputAnswer) -> None:
        """To the attempt that has asked; nothing happens where it does not ask."""
        for attempt in list(self._running.values()):
            if (attempt.message.task_id, attempt.message.generation) == (task_id, generation):
                attempt.give_answer(answer)

    def let_go(self) -> None:
        """Stop working on what the broker has given to somebody else."""
        for attempt in list(self._running.values()):
            if not attempt.ours:
                attempt.ask_to_stop(StopReason.LOST)

    def give_up_waiting(self, longest: timedelta) -> None:
        """Stop every handler that has waited for longer for a coordinator, or for people, and give its task
        back.
        """
        for attempt in list(self._running.values()):
            if attempt.run is not None and attempt.run.unanswered_for > longest.total_seconds():
                attempt.ask_to_stop(StopReason.UNANSWERED)

    def hurry(self) -> None:
        """Stop every handler now, and give its task back."""
        for attempt in list(self._running.values()):
            attempt.ask_to_stop(StopReason.HURRIED)
