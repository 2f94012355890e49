"""Lists the items that a subscriber to a task's partial output is told: starts, chunks, gaps, ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

__all__ = [
    "OutputChunk",
    "OutputEnded",
    "OutputItem",
    "OutputMissing",
    "OutputRun",
    "OutputStarted",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputRun:
    """Names one go of a handler at an attempt; its chunks are numbered from 1."""

    generation: int
    attempt: int
    agent_id: str
    run: str
    """Tells two goes at one attempt apart: another agent was given it after a connection was lost."""
    delivery: tuple[int, int] = (0, 0)
    """Of which delivery of the attempt's message it is: how often that was put on its queue again, and how
    often it came back there."""
    crashes: int = 0
    """Agents that were lost with this message in hand, as this one counts: the message, and its token, are of
    the attempt that many before."""

    @property
    def rank(self) -> tuple[int, int, int, tuple[int, int]]:
        """Of two runs of a task, that of the higher one is the current one. What the token proves comes
        before what the agent says: one that had an earlier message cannot pass for a later attempt.
        """
        return self.generation, self.attempt - self.crashes, self.attempt, self.delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputStarted:
    """Says that what follows is of this run, whose numbers begin at 1. The run before it is over."""

    run: OutputRun


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputChunk:
    """Carries one chunk."""

    run: OutputRun
    number: int
    encoded: bytes
    """As JSON."""

    @property
    def chunk(self) -> Any:
        """The text, or what else the JSON is."""
        return from_json(self.encoded)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputMissing:
    """Says that chunks are not known here: dropped on their way, or not kept any more."""

    run: OutputRun
    first: int
    last: int | None
    """None where it is not known whether any is missing, and how many: nothing was heard for a while. The
    number of the next chunk tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputEnded:
    """Says that the handler tells nothing more. How the attempt ended is an event of the task."""

    run: OutputRun
    last: int
    """The number of the last chunk; 0 where there was none."""


OutputItem = OutputStarted | OutputChunk | OutputMissing | OutputEnded
