"""Lists the time-outs and pauses of a connection to the broker, and of the channels on it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT_TIMINGS", "ConnectionTimings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionTimings:
    """Says how long a connection waits for the broker, in seconds each. A test that waits for what comes
    after one of them makes it short.
    """

    connect_timeout: float = 15.0
    """For one attempt to connect, from the first byte to the open virtual host."""
    answer_timeout: float = 15.0
    """For the broker's answer to anything but a publish: longer than the election of a leader."""
    flush_timeout: float = 2.0
    """For what was sent on a connection to leave before it is closed."""
    first_pause: float = 0.2
    longest_pause: float = 5.0
    """Between two attempts to connect; doubled each time, with jitter."""
    first_rest: float = 60.0
    longest_rest: float = 3600.0
    """For which a queue with an undeliverable message at its head is left alone; doubled with each
    connection that ends after that."""


DEFAULT_TIMINGS = ConnectionTimings()
