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
from coordinator.protocol.message_size import LARGEST_MESSAGE

from .edge_value_types import (
    AllowedAddresses,
    HostNames,
    Origins,
    Proxies,
    RootPathText,
    TlsFile,
)
from .setting_conflicts import conflict
from .value_types import (
    Auth,
    BrokerUrl,
    DatabaseUrl,
    Duration,
    DurationOrZero,
    File,
    Folder,
    Host,
    HttpUrl,
    JwtAlgorithms,
    JwtRoles,
    KeptFor,
    LogFormat,
    LogLevel,
    MetadataKeys,
    Names,
    Projector,
    Rate,
    Yes,
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
    """Address to listen on. Beyond loopback it needs `COORDINATOR_AUTH=required`."""

    http_port: int = Field(default=9001, ge=0, le=65535)
    """TCP port of the HTTP API; 0 takes a free one."""

    http_workers: int = Field(default=1, ge=1, le=64)
    """Processes of `coordinator serve` that answer HTTP; all share the socket and the ledger. More than
    the machine has cores are of no use."""

    projector: Projector = "auto"
    """Where the log is folded: in a process of its `own`, so that it never holds up a request, or in the
    `same` process as HTTP, which takes half the memory. By default the former where the service may use
    more than two cores."""

    # At the HTTP edge: who reaches the API, and by which way (decision 0029).

    dashboard: bool = True
    """Whether the API shows people the pages below `/dashboard` (decision 0039)."""

    allowed_hosts: HostNames = ()
    """Names of this service beside `localhost`, the address that it listens on and other addresses of
    loopback, separated by commas, without ports: `coordinator.example.org`; `*.example.org` is all below
    it, `*` any name. A request to another is answered 421, so that no page of the web reaches a service
    on loopback under a name of its own."""

    cors_origins: Origins = ()
    """Origins whose pages may use the API from a browser, separated by commas:
    `https://board.example.org`. By default none: what a page of another origin would change is a 403."""

    trusted_proxies: Proxies = ()
    """Addresses, or networks such as `10.0.0.0/24`, of reverse proxies whose `X-Forwarded-For` and
    `X-Forwarded-Proto` are believed, separated by commas. By default nobody's are."""

    drain_seconds: float = Field(default=0.0, ge=0, le=600)
    """Seconds for which requests are answered after the service was told to stop, each answer ending its
    connection, while `GET /health/ready` says no: longer than a balancer takes to notice, and than clients
    leave a connection unused. 0 stops at once."""

    root_path: RootPathText = ""
    """Path below which a reverse proxy publishes the service, such as `/coordinator`. The proxy may take it
    off or leave it on."""

    tls_certificate: TlsFile | None = None
    """File of the certificate, with those between it and its CA, in PEM: the API is on https:// then, and
    not on http://. Read again when it is replaced."""

    tls_key: TlsFile | None = None
    """File of the certificate's private key, in PEM and without a passphrase."""

    tls_client_ca: TlsFile | None = None
    """File of CAs in PEM: only clients with a certificate of one of them are served. By default anybody
    is."""

    max_connections: int = Field(default=10_000, ge=1)
    """Connections of HTTP at a time, in each process; further ones are answered 503. Never more than the
    limit of open files (`ulimit -n`) leaves room for beside the service's own."""

    data_dir: Folder = Field(default_factory=default_data_dir)
    """Folder of the ledger and of the private broker: what to back up."""

    database_url: DatabaseUrl | None = None
    """Where the ledger is: `postgresql://user:password@host/name`, or `sqlite:////folder/file`; by
    default SQLite in the data folder."""

    secret: str | None = Field(default=None, min_length=16)
    """Key of the task tokens. By default made once and kept in the ledger."""

    # --- identity on the broker ------------------------------------------------------------------

    require_identity: bool = False
    """Whether each event has to come from its author's own user of the broker, and each task from a
    coordinator's: anything else is parked. For agents that have a user each; set it for all coordinators
    of a ledger alike."""

    # ----------------------------------------------------------------------------------------------

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

    # --- what is parked: messages of the log that could not be taken as events -------------------

    keep_parked: int = Field(default=10_000, ge=1)
    """Parked messages that are kept; the oldest make room for others, and are counted."""

    keep_parked_bytes: int = Field(default=64 * 1024**2, ge=1024 * 1024)
    """Bytes of all of them together. Of one message 64 KiB of its body are kept at most."""

    keep_parked_for: KeptFor = timedelta(days=30)
    """Seconds that they are kept; 0 keeps them for ever, within the two limits above."""

    # ----------------------------------------------------------------------------------------------

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

    max_message_bytes: int | None = Field(default=None, ge=1024)
    """Bytes of one message that is published, or read from the log: a larger one is parked unread. By
    default 16 MiB, which is what RabbitMQ 4 takes, or twice `COORDINATOR_MAX_BODY_BYTES` where that is
    more. Raise it, on a broker that takes more, for agents whose results are larger."""

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

    max_unserved_lanes: int = Field(default=50, ge=1)
    """Of those combinations, the ones that ask for something which no agent ever registered; they count
    apart, so that a loop of typing errors closes no lane to others. Never more than
    `COORDINATOR_MAX_LANES`."""

    max_absent_agents: int = Field(default=200, ge=1)
    """Agents that never registered and have queues of their own, of tasks that name them in
    `requirements.agent_id`."""

    retire_unserved_lanes_after: DurationOrZero = timedelta(hours=1)
    """Seconds without a task after which a queue is given up that no agent ever registered for. 0 is never
    before the others."""

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

    # Who may call the API: docs/guides/keys.md.

    auth: Auth = "off"
    """`required`: every request needs an API key or a JWT. `off`: whoever reaches the API may do everything,
    which is possible on loopback alone."""

    allow_open: Yes = False
    """`yes`: listen beyond loopback without authentication all the same, where something else keeps others
    out."""

    audit_log: File | None = None
    """File of the audit log, one JSON object a line: who did what. By default it goes to standard error
    where authentication is required, and is not written elsewhere."""

    rate_limit: Rate | None = None
    """Requests that each key may send, such as `6000/minute`; a batch counts as its tasks. Without
    authentication it is for each address. Each process counts by itself. By default there is no limit."""

    max_callers_tasks: int = Field(default=0, ge=0)
    """Tasks of one key, or subject of JWTs, that may be still to be done; 0 is no limit. Counted every two
    seconds, so approximate."""

    max_callers_lanes: int = Field(default=0, ge=0)
    """Lanes that tasks of one key or subject may have opened and that are still open; 0 is no limit. Those
    of all together are bounded by `COORDINATOR_MAX_LANES` in any case."""

    max_callers_agents: int = Field(default=0, ge=0)
    """Agents that one key or subject may have registered over HTTP; 0 is no limit."""

    max_waiters: int = Field(default=0, ge=0)
    """Requests to wait for a task, or for a group, that one caller may have open at a time, in each process;
    0 is no limit."""

    # Streams of events: docs/guides/streaming.md.

    max_streams: int = Field(default=5_000, ge=1)
    """Streams of events that are open at a time, in each process; further ones are answered 503."""

    max_callers_streams: int = Field(default=0, ge=0)
    """Of those, the ones that one caller may have; 0 is no limit."""

    max_schedules: int = Field(default=0, ge=0)
    """Schedules that one caller may have made; 0 is no limit."""

    jwt_issuer: str | None = None
    """The `iss` of JWTs that count beside API keys; by default none do."""

    jwt_audience: str | None = None
    """The `aud` that they must have."""

    jwt_jwks_url: HttpUrl | None = None
    """Where the issuer publishes its keys: https, or on this machine."""

    jwt_key_file: File | None = None
    """File with the keys, as a JWKS or one public key in PEM, in the place of a URL. It is read again
    when it is changed."""

    jwt_algorithms: JwtAlgorithms = ("RS256", "ES256")
    """Algorithms of their signatures that count; none that is symmetric."""

    jwt_leeway: DurationOrZero = timedelta(seconds=30)
    """Seconds that the issuer's clock may be off."""

    jwt_roles_claim: str = "roles"
    """The claim with their roles; a dot leads into an object, as in `realm_access.roles`."""

    jwt_roles: JwtRoles = ()
    """What the words in it grant, as `word=role`, separated by commas. By default each role has its own name:
    `reader`, `producer`, `agent`, `operator`, `admin`."""

    jwt_agent_claim: str = "agent_id"
    """The claim with the id of the one agent that the role `agent` is for."""

    # Partial output: what running tasks tell of themselves (decision 0034).

    output_tail_bytes: int = Field(default=64 * 1024, ge=1024)
    """Bytes of JSON that are kept of the partial output of each running attempt, the last of it, for who
    asks late."""

    max_output_bytes: int = Field(default=64 * 1024**2, ge=1024 * 1024)
    """Bytes of memory that the partial output of all tasks may take in each process that answers HTTP. Beyond
    it that of the tasks makes room which told nothing for longest."""

    # Callbacks: POSTs to URLs that producers name (decision 0036, docs/guides/callbacks.md).

    callback_secrets_dir: Folder | None = None
    """Folder of the secrets that callbacks are signed with: a file for each, which has its name and holds
    `whsec_…`, or two while it is rotated. Without it a task with a `callback` is refused."""

    callback_allow: AllowedAddresses = ()
    """Networks, addresses and names of hosts that callbacks may go to beside public addresses, separated by
    commas: `10.1.0.0/16, hooks.internal`. Whoever may submit tasks can have POSTs sent there."""

    callback_http: Yes = False
    """`yes`: callbacks may go to `http://` beyond this machine, where everybody on the way reads them."""

    callback_ca: File | None = None
    """File of CAs in PEM by which receivers are verified, beside those that the system trusts."""

    callback_timeout: Duration = timedelta(seconds=15)
    """Seconds for one POST, from the look-up of its host's name to the answer; two minutes at most."""

    callback_retry_for: Duration = timedelta(days=1)
    """Seconds for which a callback is tried, with longer and longer pauses, before it is dead."""

    max_callbacks: int = Field(default=64, ge=1, le=1000)
    """Callbacks that are sent at a time, by each coordinator."""

    max_hosts_callbacks: int = Field(default=4, ge=1, le=1000)
    """Of those, the ones to one host; to one that failed last time, one."""

    extra_agent_types: Names = ()
    """Agent types beside the built-in ones, separated by commas."""

    # Labels of tasks: docs/guides/groups.md (decision 0035).

    metadata_keys: MetadataKeys = ()
    """Keys of the tasks' `metadata`, up to eight, by whose values tasks can be filtered: `customer,order`.
    The same for all coordinators of a ledger. Tasks that were folded before a key was named are found by it
    after `coordinator rebuild`."""

    # Metrics

    metrics: bool = True
    """Whether `GET /metrics` tells what was counted, for Prometheus. `false` counts nothing."""

    metrics_port: int | None = Field(default=None, ge=0, le=65535)
    """TCP port of a listener of its own for `GET /metrics`, which the API does not answer then; 0 takes a
    free one. By default it is a path of the API."""

    metrics_host: Host = "127.0.0.1"
    """Address of that listener, which asks for no credentials: whoever reaches it is told."""

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
    def message_limit(self) -> int:
        """Bytes of `max_message_bytes`, whether it is given or not."""
        return self.max_message_bytes or max(LARGEST_MESSAGE, 2 * self.max_body_bytes)

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
