"""Declares every setting of the service, with its unit, its default and why.

What is structure on the broker (names, queue arguments) is not here but in `protocol.topology`.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from coordinator.environment import value_of
from coordinator.errors import OperatorError

from .setting_conflicts import conflict
from .value_types import (
    BrokerUrl,
    DatabaseUrl,
    Duration,
    DurationOrZero,
    Folder,
    Host,
    HttpUrl,
    KeptFor,
    LogFormat,
    LogLevel,
    Names,
    Projector,
)

__all__ = ["Settings"]

FEW_CORES = 2
"""Broker, producers and the service fill as many: another process of the service takes memory there, and
wins nothing (decision 0025)."""


def default_data_dir() -> Path:
    """`$XDG_DATA_HOME/agent-coordinator`, by default below `~/.local/share`. Raises `OperatorError`
    where the user has no home.
    """
    try:
        return (
            Path(value_of("XDG_DATA_HOME") or "~/.local/share").expanduser() / "agent-coordinator"
        )
    except RuntimeError as exc:
        raise OperatorError(
            "This user has no home for the data folder: name one with --data-dir or"
            " COORDINATOR_DATA_DIR"
        ) from exc


def _cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


class Settings(BaseModel):
    """Holds what an operator may change; `coordinator serve --help` names the few that are also options."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    amqp_url: BrokerUrl | None = None
    """The broker, as `amqp://user:password@host:port/vhost`. `coordinator up` starts a private
    RabbitMQ where it is not given; `coordinator serve` needs it. `?heartbeat=30` at its end: seconds
    between two heartbeats of the connections (10)."""

    management_url: HttpUrl | None = None
    """RabbitMQ's management API, for `coordinator doctor`: `http://host:15672`, with the user and
    password of the broker unless it names its own. By default port 15672 of the broker's host."""

    http_host: Host = "127.0.0.1"
    """Address to listen on. Loopback, because the API has no authentication yet."""

    http_port: int = Field(default=9001, ge=0, le=65535)
    """TCP port of the HTTP API; 0 takes a free one."""

    http_workers: int = Field(default=1, ge=1, le=64)
    """Processes of `coordinator serve` that answer HTTP; all share the socket and the ledger. More than
    the machine has cores are of no use."""

    projector: Projector = "auto"
    """Where the log is folded: in a process of its `own`, so that it never holds up a request, or in the
    `same` process as HTTP, which takes half the memory. By default the former where the service may use
    more than two cores."""

    data_dir: Folder = Field(default_factory=default_data_dir)
    """Folder of the ledger and of the private broker: what to back up."""

    database_url: DatabaseUrl | None = None
    """Where the ledger is: `postgresql://user:password@host/name`, or `sqlite:////folder/file`; by
    default SQLite in the data folder."""

    secret: str | None = Field(default=None, min_length=16)
    """Key of the task tokens. By default made once and kept in the ledger."""

    stale_after: Duration = timedelta(seconds=60)
    """Seconds of silence after which an agent is `stale`: six heartbeats."""

    remove_after: Duration = timedelta(hours=1)
    """Seconds of silence after which an agent is removed from the registry."""

    heartbeat_interval: Duration = timedelta(seconds=10)
    """Seconds between two heartbeats, as agents are told when they register."""

    snapshot_interval: Duration = timedelta(seconds=20)
    """Seconds between two bulk writes of what heartbeats said to the ledger."""

    keep_ended_for: KeptFor = timedelta(days=30)
    """Seconds that ended tasks, and their events, are kept in the ledger; 0 keeps them for ever.
    The totals keep counting them."""

    keep_dead_for: KeptFor = None
    """The same for dead tasks. By default they are kept for ever: they wait for somebody to look."""

    publish_timeout: Duration = timedelta(seconds=10)
    """Seconds to wait for the broker's confirm: longer than the election of a queue's leader."""

    default_timeout: Duration = timedelta(hours=1)
    """Seconds that one attempt may take where the task names no `timeout_seconds`."""

    default_max_attempts: int = Field(default=3, ge=1, le=100)
    """Attempts of a task that names no `max_attempts`: an accident is made good, a mistake ends
    soon."""

    idempotency_retention: Duration = timedelta(days=1)
    """Seconds that an `Idempotency-Key` and its answer are kept, from its first use: longer than
    anybody goes on repeating a request."""

    max_body_bytes: int = Field(default=1024 * 1024, ge=1024)
    """Bytes of one HTTP request body. RabbitMQ 4 takes messages up to 16 MiB."""

    max_batch_bytes: int = Field(default=16 * 1024 * 1024, ge=1024)
    """Bytes of one request to `POST /tasks/submit/batch`: 1 000 tasks of 16 KiB. Each task in it
    has the limit of `COORDINATOR_MAX_BODY_BYTES`."""

    max_data_depth: int = Field(default=32, ge=1, le=200)
    """Levels of nesting in `task_data` and `metadata`."""

    max_capabilities: int = Field(default=32, ge=1)
    """Capabilities, and services, of one agent or one task's requirements."""

    max_queued_tasks: int = Field(default=1_000_000, ge=0)
    """Tasks that may wait on the queues before submissions are answered 503; 0 is no limit. Counted
    every two seconds, so approximate. Retries and scheduled tasks are never refused."""

    max_queued_bytes: int = Field(default=4 * 1024**3, ge=0)
    """The same for their bytes, estimated from the sizes of those submitted lately. Well below what
    the broker's disk has free above its alarm; 0 is no limit."""

    max_lanes: int = Field(default=500, ge=1)
    """Distinct combinations of task type and requirements with queues of their own: each costs up to
    ten queues. Tasks for one agent (`requirements.agent_id`) are not counted."""

    retire_lanes_after: DurationOrZero = timedelta(days=7)
    """Seconds without a task after which a queue of tasks is given up, to make room for others; its
    next task opens it again. 0 is never."""

    group_log: bool = True
    """Whether tasks that are submitted at the same time share one message of the log. Off while a
    coordinator of before runs beside this one, which would park such messages."""

    reconcile_after: DurationOrZero = timedelta(minutes=10)
    """Seconds after which a queued task that later ones of its queue have overtaken is taken to be
    missing there, after a purge by hand, say, and is put there again. 0 is never."""

    attempt_lost_after: DurationOrZero = timedelta(minutes=5)
    """Seconds after which a running task that no heartbeat names and no queue holds has lost its
    attempt (`AttemptLost`), and is tried again; never less than three heartbeats. Longer than the
    slowest of your agents takes from one heartbeat to the next. 0 is never."""

    extra_agent_types: Names = ()
    """Agent types beside the built-in ones, separated by commas."""

    # Metrics

    metrics: bool = True
    """Whether `GET /metrics` tells what was counted, for Prometheus. `false` counts nothing."""

    metrics_port: int | None = Field(default=None, ge=0, le=65535)
    """TCP port of a listener of its own for `GET /metrics`, which the API does not answer then; 0 takes a
    free one. By default it is a path of the API."""

    metrics_host: Host | None = None
    """Address of that listener. By default the one of the API."""

    metrics_lanes: int = Field(default=100, ge=0, le=10_000)
    """Lanes with series of their own, the first by name; the others are summed up as `other`. Each has
    eleven."""

    metrics_agents: int = Field(default=0, ge=0, le=10_000)
    """Agents with series of their own by their id, the first by name. They go when an agent is removed."""

    log_level: LogLevel = "info"
    """The least severe records to print."""

    log_format: LogFormat = "text"
    """`text` for people, `json` (one object a line) for collectors."""

    @property
    def unnamed_for(self) -> timedelta:
        """`attempt_lost_after`, and three heartbeats at least; zero is never."""
        return self.attempt_lost_after and max(self.attempt_lost_after, 3 * self.heartbeat_interval)

    @property
    def projects_apart(self) -> bool:
        """Whether the log is folded in a process of its own."""
        return self.projector == "own" or (self.projector == "auto" and _cores() > FEW_CORES)

    @property
    def ledger_place(self) -> str | Path:
        """The database's address, or the file of the data folder: a path is never read as an address,
        in which some characters mean something.
        """
        return self.database_url or self.data_dir / "ledger.sqlite3"

    @model_validator(mode="after")
    def _agree(self) -> Self:
        problem = conflict(self)
        if problem is not None:
            raise ValueError(problem)
        return self
