"""Folds one batch of the log into the ledger: inside one transaction, with few statements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy.engine import Connection

from coordinator.domain.callbacks.callback_events import CallbackOrder, orders_of
from coordinator.domain.task import State, Task
from coordinator.domain.task_totals import NOTHING, measure
from coordinator.domain.transitions.effects import Effect, PublishAt, Rules
from coordinator.domain.transitions.fold import fold
from coordinator.domain.transitions.stopped_parents import TaskHistories, stopped_now
from coordinator.errors import MalformedMessage
from coordinator.protocol.messages.events import AgentEvent, Event, TaskEvent
from coordinator.registry.tables import event_rows, schema
from coordinator.registry.tables.agent_rows import fold_agents
from coordinator.registry.tables.bulk_statements import be_a_writer, insert_new, upsert
from coordinator.registry.tables.callbacks.callback_rows import add_callbacks
from coordinator.registry.tables.event_rows import AppendedRows, Identity, identity, is_copy
from coordinator.registry.tables.follow_ups.cancellation_rows import write_cancellations
from coordinator.registry.tables.labels.group_total_rows import add_group_counts
from coordinator.registry.tables.labels.label_rows import write_labels
from coordinator.registry.tables.past_agent_offers import add_offered
from coordinator.registry.tables.schema import micros
from coordinator.registry.tables.task_queue_rows import fold_task_queues
from coordinator.registry.tables.task_rows import MOVING, has_content_of, load, row_of
from coordinator.registry.tables.totals_rows import add_tally

from .parked_messages import MessageToPark, park, parked_event

__all__ = ["FoldedBatch", "TaskChange", "fold_events", "store"]


class TaskChange(NamedTuple):
    """Tells what one batch made of a task."""

    was: Task | None
    """None where it was not known."""
    now: Task

    @property
    def ends(self) -> bool:
        """Whether it has ended by this batch, for the first time or again after a redrive."""
        was, now = self
        return now.ended and (was is None or not was.ended or was.generation != now.generation)


@dataclass(slots=True)
class FoldedBatch:
    """Tells what one batch came to."""

    events: list[Event] = field(default_factory=list)
    """Those that were new, in order."""
    effects: list[Effect] = field(default_factory=list)
    """What is to be done about them, but for what a later event of the batch has seen to."""
    parked: list[MessageToPark] = field(default_factory=list)
    changed: list[TaskChange] = field(default_factory=list)
    """Each task that is not as it was, once, however many events it had."""
    callbacks: list[CallbackOrder] = field(default_factory=list)
    """What is to be told to the URLs that producers named."""
    appended: AppendedRows | None = None
    """The rows of ``events``, where their positions are known."""
    left: Mapping[Identity, Task] = field(default_factory=dict)
    """The task as each event of one has left it."""


def store(
    connection: Connection,
    events: Sequence[Event],
    rules: Rules,
    parked: Sequence[MessageToPark] = (),
) -> FoldedBatch:
    """Fold ``events`` into the ledger, each once, whatever was folded before."""
    be_a_writer(connection, schema.events)
    new, repeated = _new(connection, events)
    parked = [*parked, *_clashing(connection, new, repeated, rules.now)]
    park(connection, parked)
    left: dict[Identity, Task] = {}
    callbacks: list[CallbackOrder] = []
    effects, changed = fold_events(connection, new, rules, left, callbacks)
    states = {event: task.state.value for event, task in left.items()}
    appended = event_rows.add(connection, new, states)
    _add_outbox(connection, effects)
    add_callbacks(connection, callbacks, now=rules.now)
    _cancel_with_parents(connection, left, changed, rules.now)
    return FoldedBatch(new, effects, parked, changed, callbacks, appended, left)


def fold_events(
    connection: Connection,
    events: Sequence[Event],
    rules: Rules,
    left: dict[Identity, Task],
    callbacks: list[CallbackOrder],
) -> tuple[list[Effect], list[TaskChange]]:
    """Bring tasks, totals, agents and task queues up to date with ``events``, all of them new. ``left`` is
    given the task as each event of one has left it, and ``callbacks`` what is to be told of them. Gives what
    is to be done about them, and the tasks that they changed.
    """
    of_tasks = [event for event in events if isinstance(event.data, TaskEvent)]
    folded = _fold_tasks(connection, of_tasks, rules, left, callbacks)
    fold_agents(connection, [e for e in events if isinstance(e.data, AgentEvent)])
    add_offered(connection, events)
    fold_task_queues(connection, events)
    return folded


def _new(connection: Connection, events: Sequence[Event]) -> tuple[list[Event], list[Event]]:
    """The events that are not in the ledger, each once; and the others."""
    seen = event_rows.known(connection, events)
    new: list[Event] = []
    repeated: list[Event] = []
    for event in events:
        key = identity(event)
        (repeated if key in seen else new).append(event)
        seen.add(key)
    return new, repeated


def _clashing(
    connection: Connection, new: Sequence[Event], repeated: Sequence[Event], now: datetime
) -> list[MessageToPark]:
    """What an agent said under an id that it had used for something else: it counts for nothing, and is
    not to vanish. A copy of what was said before, as after a lost confirm, is no news.
    """
    asked = [event for event in repeated if event.data.author is not None]
    if not asked:
        return []
    first = event_rows.known_of(connection, asked) | {identity(event): event for event in new}
    return [
        parked_event(event, MalformedMessage(_CLASH.format(event)), now)
        for event in asked
        if identity(event) in first and not is_copy(event, first[identity(event)])
    ]


_CLASH = "{0.type}: its author has sent another event with the id {0.id!r}: an id is for one event"


def _fold_tasks(
    connection: Connection,
    events: Sequence[Event],
    rules: Rules,
    left: dict[Identity, Task],
    callbacks: list[CallbackOrder],
) -> tuple[list[Effect], list[TaskChange]]:
    """The law over all tasks of the batch; their rows and the totals are written at the end."""
    before = load(connection, {event.data.subject for event in events})
    after: dict[str, Task] = dict(before)
    effects: list[Effect] = []
    for event in events:
        was = after.get(event.data.subject)
        folded = fold(was, event, rules)
        after[event.data.subject] = folded.task
        if folded.task.callback is not None:
            callbacks += orders_of(was, event, folded.task)
        left[identity(event)] = folded.task
        effects += folded.effects
    changed = [task for task in after.values() if task is not before.get(task.task_id)]
    _write(connection, before, changed)
    _clean_outbox(connection, before, changed)
    _add_totals(connection, before, changed)
    add_group_counts(connection, _grouped(before, changed))
    due = [effect for effect in effects if not _is_past(effect, after[effect.task_id])]
    return due, [TaskChange(before.get(task.task_id), task) for task in changed]


def _is_past(effect: Effect, task: Task) -> bool:
    """Whether a later event of the same batch has seen to it."""
    return isinstance(effect, PublishAt) and (
        task.ended or task.generation > effect.generation or task.published >= effect.attempt
    )


def _write(connection: Connection, before: dict[str, Task], changed: Iterable[Task]) -> None:
    filled: list[dict[str, Any]] = []
    moved: list[dict[str, Any]] = []
    labelled: list[tuple[Task | None, Task]] = []
    for task in changed:
        was = before.get(task.task_id)
        if has_content_of(task, was):
            moved.append(row_of(task))
            continue
        filled.append(row_of(task))
        if task.tags or task.metadata or (was is not None and (was.tags or was.metadata)):
            labelled.append((was, task))
    upsert(connection, schema.tasks, ["task_id"], filled)
    write_labels(connection, labelled)
    upsert(connection, schema.tasks, ["task_id"], moved, replacing=MOVING)


def _add_totals(connection: Connection, before: dict[str, Task], changed: Iterable[Task]) -> None:
    added = NOTHING
    for task in changed:
        added = added.plus(measure(task).minus(measure(before.get(task.task_id))))
    add_tally(connection, schema.totals, added)


def _grouped(
    before: dict[str, Task], changed: Iterable[Task]
) -> list[tuple[Task | None, Task | None]]:
    """What each was and is, of those that are or were of a group: most tasks are of none."""
    found: list[tuple[Task | None, Task | None]] = []
    for task in changed:
        was = before.get(task.task_id)
        if task.group is not None or (was is not None and was.group is not None):
            found.append((was, task))
    return found


def _clean_outbox(connection: Connection, before: dict[str, Task], changed: Iterable[Task]) -> None:
    """What was to be put on a queue was seen there, or its task has ended."""
    outbox = schema.outbox
    for task in changed:
        was = before.get(task.task_id)
        if was is None or not (was.state in _IN_OUTBOX or task.generation > was.generation):
            continue
        done = outbox.c.generation == task.generation
        if not task.ended:
            done &= outbox.c.attempt <= task.published
        connection.execute(
            outbox.delete().where(
                outbox.c.task_id == task.task_id, done | (outbox.c.generation < task.generation)
            )
        )


_IN_OUTBOX = (State.SCHEDULED, State.WAITING)


def _cancel_with_parents(
    connection: Connection,
    left: Mapping[Identity, Task],
    changed: Sequence[TaskChange],
    now: datetime,
) -> None:
    """Order it of those whose parent was stopped in this batch or before they came, until they have ended or
    are sent round again.
    """
    stopped = stopped_now(left)
    bound = [change.now for change in changed if change.now.cancel_with_parent is not None]
    if stopped or bound:
        before = {change.now.task_id: change.was for change in changed}
        histories = TaskHistories.of(before, left.values())
        write_cancellations(connection, stopped, bound, histories, now=now)


def _add_outbox(connection: Connection, effects: Iterable[Effect]) -> None:
    orders = [effect for effect in effects if isinstance(effect, PublishAt)]
    key = ["task_id", "generation", "attempt"]
    insert_new(connection, schema.outbox, key, [_row(one) for one in orders if not one.anew])
    # Whoever publishes what was ordered before loses the lease with it, and cannot mark this as done.
    anew = {_row_key(one): _row(one) for one in orders if one.anew}
    upsert(connection, schema.outbox, key, list(anew.values()))


def _row(order: PublishAt) -> dict[str, Any]:
    return {
        "task_id": order.task_id,
        "generation": order.generation,
        "attempt": order.attempt,
        "due_at": micros(order.due),
        "claimed_until": 0,
    }


def _row_key(order: PublishAt) -> tuple[str, int, int]:
    return order.task_id, order.generation, order.attempt
