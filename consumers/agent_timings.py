"""Lists the intervals, pauses and time-outs of a running agent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from coordinator.broker.connection_timings import DEFAULT_TIMINGS as CONNECTION_TIMINGS
from coordinator.broker.connection_timings import ConnectionTimings

__all__ = ["DEFAULT_TIMINGS", "AgentTimings", "Backoff"]


@dataclass(frozen=True, slots=True)
class Backoff:
    """Bounds the pauses between two attempts: the ``first``, doubled each time up to the ``longest``."""

    first: timedelta
    longest: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentTimings:
    """Says how often an agent acts by itself, and how long it waits for others. The defaults fit a fleet;
    tests shorten them with ``agent.configure(timings=AgentTimings(...))``.
    """

    heartbeat_spacing: timedelta = timedelta(seconds=1)
    """Between two heartbeats at least, however much changes."""
    rebind_interval: timedelta = timedelta(seconds=20)
    """Between two bindings of the control queue. Whoever deletes its exchange takes the bindings with it,
    and nobody is told."""
    control_pause: timedelta = timedelta(seconds=1)
    """Before a lost control channel is opened again, or a missing exchange is asked for again."""
    control_grace: timedelta = timedelta(seconds=1)
    """For which a coordinator may take to declare the control queue; then the agent declares one itself, if
    its user may."""
    registration_timeout: timedelta = timedelta(seconds=5)
    """How long a reply is waited for, and how long a request may wait for a coordinator."""
    registration_backoff: Backoff = Backoff(timedelta(seconds=0.5), timedelta(seconds=15))
    """Between two requests to be registered, with jitter."""
    update_patience: timedelta = timedelta(minutes=5)
    """How long a request is repeated that coordinators answer not to know: they may be being updated."""
    publish_backoff: Backoff = Backoff(timedelta(seconds=0.1), timedelta(seconds=5))
    """Between two attempts at the same batch of events, with jitter."""
    crash_probation: timedelta = timedelta(seconds=2)
    """A task that was redelivered after a possible crash runs alone for this long."""
    progress_interval: timedelta = timedelta(seconds=1)
    """Between two published progress events of a task; heartbeats tell of it, too."""
    output_patience: timedelta = timedelta(seconds=1)
    """How long `task.emit` waits for room, while more is emitted than the broker takes. After that the oldest
    chunks make room, and it waits no more until there was some."""
    output_backoff: Backoff = Backoff(timedelta(seconds=0.1), timedelta(seconds=30))
    """Between two attempts at the same partial output, with jitter."""
    ask_again: Backoff = Backoff(timedelta(seconds=15), timedelta(seconds=120))
    """Between two tellings of a question that has no answer yet: its answer may have been lost on its way."""
    push_expected_within: timedelta = timedelta(seconds=0.1)
    """How long what waits in a queue that is consumed, with room for all of it, is left to be pushed."""
    shared_look: timedelta = timedelta(seconds=1 / 30)
    """Between two looks of all resting agents together for work that nobody was woken for: the more they are,
    the rarer each looks. One look asks five queues, costs the broker some 0.4 ms, and so finds what waits in
    one of ten queues in 70 ms."""
    longest_nap: timedelta = timedelta(seconds=60)
    """Between two looks of one resting agent, however many they are."""
    stuck_after: timedelta = timedelta(seconds=30)
    """Without a turn of the fetch loop; then the agent calls itself degraded."""
    lost_task_check: timedelta = timedelta(seconds=1)
    """Between two searches for running tasks that the broker gave to others."""
    clock_check: timedelta = timedelta(seconds=10)
    """Between two looks at whether the machine's clock was set."""
    flush_timeout: timedelta = timedelta(seconds=10)
    """How long a stopping agent tries to get its last outcomes, and its goodbye, to the broker, and how long
    its handlers may wait for an answer of a coordinator, or of people."""
    connection: ConnectionTimings = CONNECTION_TIMINGS
    """Of both connections to the broker."""


DEFAULT_TIMINGS = AgentTimings()
