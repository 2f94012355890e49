"""Defines every table of the ledger, for SQLite and PostgreSQL alike.

Instants are integers, microseconds since 1970 in UTC: they sort, and come back exactly as they went.
JSON is text, since the ledger never looks inside it.

All of them are here and nowhere else: `migrations` makes what this module holds, whoever opens the ledger.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    and_,
    literal_column,
    text,
)

__all__ = [
    "DEAD",
    "QUEUED",
    "SCHEMA_VERSION",
    "agents",
    "api_keys",
    "broker_users",
    "callbacks",
    "cancellations",
    "checkpoint",
    "events",
    "from_micros",
    "group_totals",
    "idempotency_keys",
    "meta",
    "metadata",
    "micros",
    "offered",
    "outbox",
    "parked",
    "schedules",
    "sources",
    "task_labels",
    "tasks",
    "totals",
    "turns",
]

SCHEMA_VERSION = 10
"""Kept in `meta`; a ledger of a newer version is refused."""

metadata = MetaData()

_Position = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only where the type is exactly INTEGER."""


def _where(condition: str) -> dict[str, Any]:
    """Of an index that only some rows are in: the others cost it nothing."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


_TaskId = String(128).with_variant(String(128, collation="C"), "postgresql")
"""Sorts by code points, as in Python, where pages are merged."""

meta = Table(
    "meta",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("position", _Position, primary_key=True, autoincrement=True),
    Column("id", String(200), nullable=False),
    Column("agent_id", String(128), nullable=False),
    Column("type", String(64), nullable=False),
    Column("subject", String(300), nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("data", Text, nullable=False),
    Column("state", String(16)),
    UniqueConstraint("id", "agent_id"),
    Index("events_by_subject", "subject", "position"),
)
"""Every event that was folded, in the order of the log: what a rebuild folds again.

`agent_id` is the author, empty for a coordinator or the broker. It is part of an event's identity,
so that no agent can take the id of another's event before it is said.

`position` only grows, in the order in which transactions are committed, and none is given twice: see
`event_rows.add`. `state` is that of the event's task once it was folded, null for other events and those
of before schema 6.
"""

tasks = Table(
    "tasks",
    metadata,
    Column("task_id", _TaskId, primary_key=True),
    Column("state", String(16), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("published", Integer, nullable=False),
    Column("started", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("settled", Integer, nullable=False),
    Column("runners", Text),
    Column("content", Integer, nullable=False),
    Column("max_attempts", Integer),
    Column("priority", String(16)),
    Column("lane", String(300)),
    Column("task_type", String(128)),
    Column("backoff", Text),
    Column("expires_at", BigInteger),
    Column("submitted_at", BigInteger),
    Column("submission", String(200)),
    Column("agent_id", String(128)),
    Column("first_started_at", BigInteger),
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("progress", Text),
    Column("error", Text),
    Column("error_type", String(128)),
    Column("outcome", String(200)),
    Column("starts", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("submitted_by", String(200)),
    Column("group_id", String(128)),
    Column("labels", Text),
    Column("callback", Text),
    Column("released", Integer, nullable=False, server_default="0"),
    Column("question", Text),
    Column("answer_by", BigInteger),
    Column("answers", Text),
    Column("parent_id", _TaskId),
    Column("cancel_with_parent", Integer),
    Index("tasks_by_submission", "submitted_at", "task_id"),
    Index("tasks_by_priority", "priority", "submitted_at", "task_id"),
    Index("tasks_by_lane", "lane", "submitted_at", "task_id"),
    Index("tasks_by_type", "task_type", "submitted_at", "task_id"),
    Index("tasks_by_state", "state", "submitted_at", "task_id"),
    Index(
        "tasks_by_agent",
        *("agent_id", "state", "submitted_at", "task_id"),
        **_where("agent_id IS NOT NULL"),
    ),
    Index(
        "tasks_by_submitter",
        *("submitted_by", "submitted_at", "task_id"),
        **_where("submitted_by IS NOT NULL"),
    ),
    Index(
        "tasks_by_group",
        *("group_id", "state", "submitted_at", "task_id"),
        **_where("group_id IS NOT NULL"),
    ),
    Index(
        "tasks_by_parent",
        *("parent_id", "submitted_at", "task_id"),
        **_where("parent_id IS NOT NULL"),
    ),
    Index("tasks_by_end", "state", "ended_at", **_where("ended_at IS NOT NULL")),
    Index(
        "tasks_dead",
        *("ended_at", "task_id", "error_type", "task_type", "lane", "submitted_at"),
        *("state", "content"),
        **_where("state || '' = 'dead' AND content > 0"),
    ),
    Index("tasks_without_content", "task_id", **_where("content = 0")),
    Index("tasks_queued", "lane", "priority", "submitted_at", **_where("state = 'queued'")),
    Index("tasks_by_answer", "answer_by", **_where("answer_by IS NOT NULL")),
    Index(
        "tasks_by_deadline", "expires_at", **_where("expires_at IS NOT NULL AND ended_at IS NULL")
    ),
)
"""Where each task stands, column by field `domain.task.Task`, and the type of its error, to be grouped
by. What it holds and what came of it is written once, in the events that `submission` and `outcome`
name. `labels` has its tags and what of its metadata can be searched for, in JSON; null where it has neither.

Each of the first nine is for one filter of `GET /tasks`, in the order of its pages, see `task_pages`:
`tasks_by_submission` for none and for the times, the others for the filter of their name;
`tasks_by_agent` for `GET /agents/{id}/tasks` as well, `tasks_by_submitter` for who sees its own tasks
alone, and `tasks_by_group` for cancelling a group as well: it costs nothing where a task has none, and
`tasks_by_parent` nothing where it has no parent. An index costs the fold wherever one of its columns is
written, even with the same value. So what has nothing to do with a task's state, its agent or its end is
written with its content alone, see `task_rows.MOVING`, and only the other indexes follow each change.
`tasks_dead` has all by which `GET /tasks/dead` counts, so that no row is read for it; a task is in it from
its death on.
"""

task_labels = Table(
    "task_labels",
    metadata,
    Column("label", String(300), primary_key=True),
    Column("submitted_at", BigInteger, primary_key=True),
    Column("task_id", _TaskId, primary_key=True),
    sqlite_with_rowid=False,
)
"""Which tasks have a label (`domain.labels.task_labels`), in the order of the pages of `GET /tasks`. A row is
written once, with the task's content, and goes with the task."""

group_totals = Table(
    "group_totals",
    metadata,
    Column("group_id", String(128), primary_key=True),
    Column("submitted_by", String(200), primary_key=True),
    Column("state", String(16), primary_key=True),
    Column("tasks", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""How many tasks of a group are in each state, for each who submitted some, empty where nobody was asked:
`domain.labels.group_counts`. Folded, as the tasks are, and so never counted by a query. A group is there
while it has tasks."""

QUEUED = tasks.c.state == literal_column("'queued'")
"""Of the tasks that wait on their queue. The value is in the text of the statement, since a database
takes `tasks_queued` only where it can tell beforehand that all the rows are in it.
"""

DEAD = and_(
    tasks.c.state.concat(literal_column("''")) == literal_column("'dead'"),
    tasks.c.content > literal_column("0"),
)
"""Of the dead tasks whose content is kept, as `tasks_dead` has it. It is so written that a database takes no
other index for it: those on `state` lead to the same tasks, and then to a row for each.
"""

agents = Table(
    "agents",
    metadata,
    Column("agent_id", String(128), primary_key=True),
    Column("registration", Text, nullable=False),
    Column("stated_at", BigInteger, nullable=False),
    Column("registered_at", BigInteger, nullable=False),
    Column("declared", String(16), nullable=False),
    Column("statement", String(200), nullable=False),
    Column("heartbeat", Text),
    Column("load_metrics", Text),
    Column("heard_at", BigInteger, nullable=False),
    Column("silence", BigInteger, nullable=False),
    Column("clock_skew", BigInteger),
)
"""`statement` is the id of the event that made the row what it is. The last five are of the latest
snapshot; `silence` is how long the agent had not been heard of then, and `clock_skew` how far its clock
was ahead, both in microseconds."""

sources = Table(
    "sources",
    metadata,
    Column("lane", String(300), primary_key=True),
    Column("priority", String(16), primary_key=True),
    Column("requirements", Text, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
)

offered = Table(
    "offered",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("name", String(128), primary_key=True),
)
"""Every agent id, type, capability, service and task type that was ever registered."""

outbox = Table(
    "outbox",
    metadata,
    Column("task_id", String(128), primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("due_at", BigInteger, nullable=False),
    Column("claimed_until", BigInteger, nullable=False, server_default="0"),
    Index("outbox_by_due", "due_at"),
)
"""Attempts to be put on their queue when they are due. The message is made of the task's submission.
Any coordinator may lease a due row, and `claimed_until` is when its lease ends; the row goes when the
message was seen in the log, or the task has ended."""

callbacks = Table(
    "callbacks",
    metadata,
    Column("webhook_id", String(64), primary_key=True),
    Column("task_id", _TaskId, nullable=False),
    Column("event_id", String(200), nullable=False),
    Column("author", String(128)),
    Column("event", String(16), nullable=False),
    Column("url", Text, nullable=False),
    Column("host", String(255), nullable=False),
    Column("secret_ref", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("ordered_at", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("claimed_until", BigInteger, nullable=False),
    Column("tried_at", BigInteger),
    Column("status", Integer),
    Column("error", Text),
    Column("ended_at", BigInteger),
    Index("callbacks_by_due", "due_at", **_where("state = 'pending'")),
    Index("callbacks_by_task", "task_id", "ordered_at", "webhook_id"),
    Index("callbacks_by_state", "state", "ordered_at", "webhook_id"),
    Index("callbacks_by_order", "ordered_at", "webhook_id"),
)
"""What is to be told, or was, to the URLs that producers named: one row for each event of a task that one of
them wants, made in the transaction that folds it. `author` is that of the event, null where it is not known;
`event` is the word by which it is told. `since` is when trying began, anew with each redrive. Any coordinator
may lease a due row that is pending, and `claimed_until` is when its lease ends."""

cancellations = Table(
    "cancellations",
    metadata,
    Column("task_id", _TaskId, primary_key=True),
    Column("ordered_at", BigInteger, nullable=False),
    Index("cancellations_by_order", "ordered_at"),
)
"""Follow-up tasks that are to be cancelled, since their parent was stopped, until they have ended: see
`follow_ups`. A rebuild leaves them, as it leaves the outbox."""

turns = Table(
    "turns",
    metadata,
    Column("task_id", _TaskId, primary_key=True),
    Column("holder", String(32), nullable=False),
    Column("event_id", String(200), nullable=False),
    Column("taken_at", BigInteger, nullable=False),
    Index("turns_by_holder", "holder"),
    Index("turns_by_event", "event_id"),
    Index("turns_by_time", "taken_at"),
)
"""Whose turn it is to act on a task by request, and the id of the event that is published in it, see
`stores.request_turns`. `holder` is of one transaction."""

schedules = Table(
    "schedules",
    metadata,
    Column("schedule_id", String(128), primary_key=True),
    Column("cron", String(200), nullable=False),
    Column("timezone", String(64), nullable=False),
    Column("missed", String(16), nullable=False),
    Column("task", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("paused", Integer, nullable=False),
    Column("next_at", BigInteger),
    Column("claimed_until", BigInteger, nullable=False),
    Column("last_run_at", BigInteger),
    Column("last_task_id", String(128)),
    Column("last_error", Text),
    Column("created_by", String(200)),
    Index("schedules_by_next", "next_at"),
)
"""`task` is the body of a submission; `next_at` is null for one that never comes again. `claimed_until`
is when the lease of its due tick ends. `created_by` is whose its tasks are."""

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("claimed_at", BigInteger, nullable=False),
    Column("holder", String(32), nullable=False),
    Column("held_until", BigInteger, nullable=False),
    Column("answer", Text),
    Index("idempotency_keys_by_claim", "claimed_at"),
)
"""`fingerprint` is of the request; `answer` is the JSON that it was answered with, once it was."""

api_keys = Table(
    "api_keys",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("roles", Text, nullable=False),
    Column("agent_id", String(128)),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("rotated_at", BigInteger),
    Column("last_used_at", BigInteger),
    Column("previous_digest", String(64)),
    Column("previous_until", BigInteger),
)
"""API keys by their hashes, see `stores.api_keys`. `roles` are words with spaces between them. A row
stays when its key is revoked, so that nobody else gets its name, by which tasks are somebody's."""

parked = Table(
    "parked",
    metadata,
    Column("position", _Position, primary_key=True, autoincrement=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("received_at", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("exchange", String(300), nullable=False),
    Column("routing_key", String(300), nullable=False),
    Column("author", String(300), nullable=False, server_default=""),
    Column("size", BigInteger, nullable=False, server_default="0"),
    Column("kept", Integer, nullable=False, server_default="0"),
    Column("body_digest", String(64), nullable=False, server_default=""),
    Column("properties", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("parked_by_time", "received_at"),
    Index("parked_sizes", "position", "kept"),
)
"""What came through the log and could not be taken as an event. `digest` is of the whole message:
one that is delivered again is parked once. `body` is the beginning of it; `size` (bytes) and `body_digest`
(SHA-256) are of all of it, and `kept` is how many bytes the row takes. `author` is whose word the routing
key has, or the broker's user, as far as either is known."""

broker_users = Table(
    "broker_users",
    metadata,
    Column("user_name", String(255), primary_key=True),
    Column("agent_id", String(128), primary_key=True),
)
"""Whose a user of the broker is, where its name does not say it: an agent's, or, where that is empty, a
coordinator's."""

totals = Table(
    "totals",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", BigInteger, nullable=False),
)
"""`domain.task_totals.TaskTotals`, field by field."""

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", BigInteger, nullable=False),
)
"""What the tasks that were forgotten have added to `totals`: where a rebuild begins to count."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(instant: datetime) -> int:
    """Microseconds since 1970: exact, and within a column's 64 bits for every instant that Python knows."""
    return (instant - _EPOCH) // _MICROSECOND


def from_micros(value: int) -> datetime:
    """In UTC. Raises `OverflowError` for what is no instant that Python knows."""
    return _EPOCH + timedelta(microseconds=value)
