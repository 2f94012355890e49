"""The agent SDK: ten lines make an agent. See `Agent`; `consumers.testing` tests handlers."""

from __future__ import annotations

from .agent import Agent
from .interceptor import Interceptor
from .outcome import Discard, RetryLater
from .running_agent import RunningAgent
from .task import Task

__all__ = [  # noqa: RUF022 - grouped by what they are for
    # an agent, and one at work
    "Agent",
    "RunningAgent",
    # what runs around its handlers
    "Interceptor",
    # what a handler is given, and what it may raise
    "Discard",
    "RetryLater",
    "Task",
]
