"""Holds a program while a driver runs it, with what came of its last step."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from coordinator.client.errors import NotReached
from coordinator.client.exchange.programs import Program, Step

__all__ = ["ProgramRun"]

Result = TypeVar("Result")


class ProgramRun(Generic[Result]):
    """Gives the steps of a program, one by one. Each is done, and its outcome set, before the next is asked
    for.
    """

    def __init__(self, program: Program[Result]) -> None:
        self._program = program
        self.outcome: Any = None
        """Of the last step: it is sent into the program, or raised in it where it is a `NotReached`."""
        self.result: Result
        """What the program returned, once there are no more steps."""

    def step(self) -> Step | None:
        """None where the program has returned. Raises what the program raises."""
        outcome, self.outcome = self.outcome, None
        try:
            if isinstance(outcome, NotReached):
                return self._program.throw(outcome)
            return self._program.send(outcome)
        except StopIteration as end:
            self.result = end.value
            return None

    def close(self) -> None:
        """End the program where it is."""
        self._program.close()
