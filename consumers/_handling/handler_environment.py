"""Gathers what the handlers of one agent share."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ..agent_timings import DEFAULT_TIMINGS, Backoff
from ..interceptor import Interceptor
from .artifact_transfers import ArtifactTransfers
from .handler_threads import HandlerThreads

__all__ = ["HandlerEnvironment"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerEnvironment:
    """Holds what is the same for all attempts of an agent."""

    agent_id: str
    threads: HandlerThreads
    artifacts: ArtifactTransfers
    interceptors: tuple[Interceptor, ...] = ()
    """Outermost first."""
    clock: Callable[[], float] = time.monotonic
    """In seconds; never goes back. Read from threads, too."""
    ask_again: Backoff = DEFAULT_TIMINGS.ask_again
    """Between two tellings of a question that has no answer yet."""
