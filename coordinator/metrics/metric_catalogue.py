"""Names every metric of the service, with its kind, its labels and what it means. Pure.

Units are Prometheus': seconds and bytes. No label takes a value that a producer, or an agent, may choose
without a bound: lanes, agents and types of errors are bounded where they are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["CATALOGUE", "PREFIX", "Kind", "Metric"]

PREFIX = "coordinator_"
"""Of all names."""


class Kind(StrEnum):
    """Tells how Prometheus takes a metric."""

    COUNTER = "counter"  #: goes up, and begins anew when the service does
    GAUGE = "gauge"  #: as it is at this moment
    HISTOGRAM = "histogram"  #: how many were no greater than each bound, how many, and their sum


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """Declares one metric."""

    name: str
    """As Prometheus shows it; a histogram has `_bucket`, `_sum` and `_count` behind it."""
    kind: Kind
    help: str
    """One sentence for people."""
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()
    """Of the buckets of a histogram, in ascending order and without infinity."""


def _counter(name: str, help_: str, *labels: str) -> Metric:
    return Metric(name=f"{PREFIX}{name}_total", kind=Kind.COUNTER, help=help_, labels=labels)


def _gauge(name: str, help_: str, *labels: str) -> Metric:
    return Metric(name=f"{PREFIX}{name}", kind=Kind.GAUGE, help=help_, labels=labels)


def _histogram(name: str, help_: str, *labels: str, bounds: tuple[float, ...]) -> Metric:
    return Metric(
        name=f"{PREFIX}{name}_seconds",
        kind=Kind.HISTOGRAM,
        help=help_,
        labels=labels,
        bounds=bounds,
    )


_QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""For what is answered while somebody waits."""

_PATIENT = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0)
"""For what waits in queues."""

# --- submissions, counted by the process that answers ---------------------------------------------

SUBMITTED = _counter(
    "tasks_submitted",
    "Tasks that were answered as accepted; a repetition that is answered again counts again.",
    "priority",
    "via",
)
REFUSED = _counter(
    "submissions_refused",
    "Tasks that were read and not accepted, by the name of the error: docs/reference/errors.md.",
    "reason",
)
HTTP_ERRORS = _counter(
    "http_errors",
    "Requests that were answered with an error, by status code: also those that no endpoint saw, such as"
    " without a credential, and connections that sent no request in time or were too many.",
    "code",
)
SUBMIT = _histogram(
    "submit",
    "From a submission that was read to the broker's confirm, of one task or of a batch.",
    "via",
    bounds=_QUICK,
)

# --- publishes, counted by the process that publishes ----------------------------------------------

CONFIRM = _histogram(
    "publish_confirm",
    "From the publish of a message to its confirm by the broker.",
    bounds=_QUICK,
)
PUBLISH_FAILED = _counter(
    "publishes_failed",
    "Messages that the broker did not confirm, by the name of the error.",
    "reason",
)
IN_FLIGHT = _gauge(
    "publishes_in_flight",
    "Messages that are being published and are not confirmed yet, of all processes.",
)

# --- tasks, counted where the log is folded --------------------------------------------------------

ENDED = _counter("tasks_ended", "Tasks that ended, by the state in which.", "state", "priority")
EXECUTIONS = _counter("executions", "Attempts that agents have started.", "priority")
FAILED_ATTEMPTS = _counter("attempts_failed", "Attempts that failed or were lost.", "priority")
RETRIES = _counter(
    "retries", "Further attempts of tasks that were put on their queue again.", "priority"
)
DEAD = _counter(
    "tasks_dead",
    "Tasks that ended dead, by the type of their error: the first fifty types, then `other`.",
    "error_type",
)
START = _histogram(
    "task_start",
    "From the acceptance of a task to its first start; a task with a time of its own counts from"
    " its acceptance, too.",
    "priority",
    bounds=_PATIENT,
)
FOLDED = _counter("events_folded", "Events that were new and are in the ledger now.")
FOLD = _histogram(
    "fold", "One transaction of the projector, of up to a thousand events.", bounds=_QUICK
)
FOLD_FAILED = _counter("folds_failed", "Transactions of the projector that were rolled back.")
PARKED_NOW = _counter("messages_parked", "Messages that were parked since the start.")

# --- partial output, counted by each process that answers: each hears all of it ---------------------

OUTPUT_HEARD = _counter(
    "output_chunks_heard",
    "Chunks of partial output that came; each process that answers hears, and counts, all of them.",
)
OUTPUT_GAPS = _counter(
    "output_gaps",
    "Places where chunks of a run never came to a process: dropped by the agent, or on their way.",
)
OUTPUT_TOLD = _counter(
    "output_chunks_told",
    "Chunks that were given to the streams of those who follow tasks, counted for each of them.",
)
OUTPUT_REFUSED = _counter(
    "output_refused",
    "Messages of partial output, or what one run said in them, that were dropped, by the name of the error.",
    "reason",
)

# --- callbacks, counted by the process that sends them ----------------------------------------------

CALLBACKS = _counter(
    "callbacks",
    "Tries of callbacks, by what came of them: `delivered`, `failed` (and tried again), or `dead`.",
    "outcome",
)

# --- as it is now, true of the whole service whichever process is asked ------------------------------

QUEUE_TASKS = _gauge(
    "queue_tasks",
    "Tasks that wait on the queues of a lane, as the broker counts.",
    "priority",
    "lane",
)
QUEUE_OLDEST = _gauge(
    "queue_oldest_seconds",
    "How long ago the task was submitted that waits the longest; 0 where none waits.",
    "priority",
    "lane",
)
LANE_LISTENING = _gauge(
    "lane_listening_agents",
    "Agents that may do the tasks of a lane and take work, now or when a slot is free.",
    "lane",
)
AGENTS = _gauge("agents", "Agents that are known, by status.", "status")
LISTENING = _gauge(
    "agents_listening", "Agents that take tasks from the broker, now or when a slot is free."
)
AGENT_TASKS = _gauge(
    "agent_running_tasks",
    "Tasks that an agent runs, by its last heartbeat; only where COORDINATOR_METRICS_AGENTS is set.",
    "agent_id",
)
AGENT_SILENCE = _gauge(
    "agent_silence_seconds",
    "How long an agent was not heard; only where COORDINATOR_METRICS_AGENTS is set.",
    "agent_id",
)
LAG_MESSAGES = _gauge(
    "projector_lag_messages",
    "Messages in the log that the projector has not taken yet; one may hold many events.",
)
LAG_SECONDS = _gauge(
    "projector_lag_seconds",
    "How long a mark takes through the log into the ledger, or has taken and is not out yet.",
)
OUTBOX_DUE = _gauge(
    "outbox_due", "Attempts in the outbox whose time has come and that are not published yet."
)
OUTBOX = _gauge(
    "outbox_tasks", "Attempts in the outbox: retries and tasks that wait for their time."
)
INPUT_REQUIRED = _gauge(
    "input_required_tasks",
    "Tasks that wait for an answer of people: GET /tasks?state=input_required.",
)
PARKED = _gauge("parked_messages", "Messages that are parked in the ledger: GET /parked.")
CALLBACKS_PENDING = _gauge(
    "callbacks_pending", "Callbacks that are to be delivered: now, or when their next try is due."
)
CALLBACKS_DEAD = _gauge(
    "callbacks_dead", "Callbacks that are not tried any more: GET /callbacks?state=dead."
)
READY = _gauge(
    "ready", "1 while tasks can be submitted here, 0 while they cannot: GET /health/ready."
)
PROBLEMS = _gauge("problems", "Problems that GET /health tells of now.")
PART_FAILED = _gauge(
    "scrape_part_failed",
    "1 where a part of this answer could not be read, so that its series are missing.",
    "part",
)
BUILD = _gauge("build_info", "Always 1; its label is the version of the service.", "version")

# --- streams, counted by the process that has them -------------------------------------------------

SUBSCRIBERS = _gauge(
    "subscribers",
    "Streams that are open, of all processes: `events` (GET /events), `task` (GET"
    " /tasks/{task_id}/stream) and `websocket` (/ws).",
    "kind",
)
CUT_OFF = _counter(
    "subscribers_cut_off",
    "Subscriptions that were ended since more had happened than was read (`too-slow`).",
)

# --- processes -------------------------------------------------------------------------------------

PROCESS_CPU = _counter(
    "process_cpu_seconds", "CPU that a process of the service has used.", "process"
)
PROCESS_RESIDENT = _gauge("process_resident_memory_bytes", "Memory that it has.", "process")
PROCESS_VIRTUAL = _gauge("process_virtual_memory_bytes", "Memory that it has mapped.", "process")
PROCESS_STARTED = _gauge(
    "process_start_time_seconds", "When it was started, in seconds of Unix.", "process"
)
PROCESS_FILES = _gauge("process_open_fds", "Files and sockets that it has open.", "process")
PROCESS_MOST_FILES = _gauge("process_max_fds", "How many it may have open.", "process")

CATALOGUE: tuple[Metric, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, Metric)
)
"""All of them, in the order of this file."""
