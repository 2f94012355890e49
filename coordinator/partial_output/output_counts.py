"""Says what is counted of partial output; whoever keeps count gives an object that does."""

from __future__ import annotations

from typing import Protocol

__all__ = ["NOT_COUNTED", "CountsOutput"]


class CountsOutput(Protocol):
    """Counts; called on the event loop, often, and raises nothing."""

    def heard(self, chunks: int, *, gap: bool) -> None:
        """So many chunks of a run were new; ``gap``: others before them never came."""
        ...

    def told(self, chunks: int) -> None:
        """So many chunks were given to one subscriber."""
        ...

    def refused(self, why: str) -> None:
        """A message, or what one run says in it, was dropped; ``why`` is the name of the error."""
        ...


class _NotCounted:
    def heard(self, chunks: int, *, gap: bool) -> None:
        pass

    def told(self, chunks: int) -> None:
        pass

    def refused(self, why: str) -> None:
        pass


NOT_COUNTED: CountsOutput = _NotCounted()
