"""Limits the size of a message that is read from the log, and how much of a bad one is told piece by piece.

Both sides keep far below: a task is limited by `COORDINATOR_MAX_BODY_BYTES`, a result by the agent's
`max_result_bytes`, and events are batched up to half a mebibyte. What is larger was made by somebody else, or
by mistake, and reading it would take many times its size in memory.
"""

from __future__ import annotations

__all__ = [
    "LARGEST_MESSAGE",
    "LARGEST_STATEMENT",
    "REFUSED_APART",
]

LARGEST_MESSAGE = 16 * 1024 * 1024
"""Bytes of a body, as RabbitMQ 4 takes them by default; 3.10 takes eight times as many."""

REFUSED_APART = 100
"""Items of one message that are refused each by itself: a mebibyte has room for half a million that are
nothing at all."""

LARGEST_STATEMENT = 2 * 1024 * 1024
"""Bytes of what is said about agents: a registration has 1 MiB at most, and a heartbeat that names two
thousand tasks half of it."""
