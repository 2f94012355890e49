"""Gives authors the agent SDK: ten lines make an agent. See `Agent`; `consumers.testing` tests handlers.

An author imports the names below, and `consumers.testing`. What begins with `_` is the SDK's own.

agent ............ what an author writes: options, handlers, interceptors
agent_search ..... a command line names it
_reload .......... it is started anew when its author saves a file
agent_process .... it runs as a process, alone or beside others, until a signal
running_agent .... it runs in an event loop: connects the parts below, and stops them
_link ............ what it says to coordinators, and hears of them
_fetching ........ which task is taken next, and how
_metrics ......... what it tells Prometheus, where it has a port for that
_working ......... what becomes of a delivered task, until its message is acknowledged
_handling ........ one handler runs on one attempt
agent_options, agent_timings, handler_table, interceptor, option_checks ... what the author decided
outcome, task .... what a handler makes, and is given
_artifacts ....... what is too large for a result, by reference
_values .......... results, pauses, limits, texts: no loop, no broker
_process ......... signals, forks, the event loop, the log
testing .......... handlers in tests, without a broker
examples ......... agents to copy

Imports run downwards only, but for `testing` and `examples`, which stand beside `agent`.
"""

from __future__ import annotations

from ._artifacts.artifact_errors import (
    ArtifactDamaged,
    ArtifactMissing,
    ArtifactStoreRefused,
    ArtifactStoreUnavailable,
)
from ._artifacts.artifact_reference import ArtifactReference
from .agent import Agent
from .interceptor import Interceptor
from .outcome import Discard, RetryLater
from .running_agent import RunningAgent
from .task import FollowUp, SubmissionRefused, Task

__all__ = [  # noqa: RUF022 - grouped by what they are for
    # an agent, and one at work
    "Agent",
    "RunningAgent",
    # what runs around its handlers
    "Interceptor",
    # what a handler is given, and what it may raise, or catch
    "Discard",
    "FollowUp",
    "RetryLater",
    "SubmissionRefused",
    "Task",
    # what is too large for a result
    "ArtifactDamaged",
    "ArtifactMissing",
    "ArtifactReference",
    "ArtifactStoreRefused",
    "ArtifactStoreUnavailable",
]
