"""Whether tasks have ended as is right for what they asked of their handlers, and nothing else cost them an
attempt.

The end that a wish names is the only right one, but for a task

* whose cancellation was asked for: it may be cancelled instead;
* that ended as one that kills its agents: `verdict` judges that by the faults that it lived through;
* that was taken for lost while a fault kept its agent silent: that costs an attempt, and it may be the last.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.transitions.attempts import ATTEMPT_LOST
from coordinator.protocol.messages.events import CRASH_LOOP, TaskDeclined, TaskLost
from coordinator.registry.tables import schema
from tests.chaos.executions import NOTICED_LATE
from tests.chaos.faults import Injected
from tests.chaos.workload import End, Wish

__all__ = [
    "Ended",
    "Loss",
    "declined_in",
    "losses_in",
    "unasked_losses",
    "unexplained_losses",
    "wrong_ends",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a task has ended, and by which of its attempts."""

    end: End
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """An attempt that a coordinator gave up."""

    task_id: str
    agent: str
    """Who had started it."""
    at: float
    """Seconds since 1970."""


def losses_in(connection: Connection) -> list[Loss]:
    """In the order of the log."""
    columns = schema.events.c
    query = sa.select(columns.subject, columns.time, columns.data).where(
        columns.type == TaskLost.TYPE
    )
    return [
        Loss(task_id=row.subject, agent=json.loads(row.data)["started_by"], at=row.time / 1e6)
        for row in connection.execute(query.order_by(columns.position))
    ]


def declined_in(connection: Connection) -> set[str]:
    """Tasks that an agent has given back."""
    columns = schema.events.c
    query = sa.select(columns.subject).where(columns.type == TaskDeclined.TYPE)
    return set(connection.execute(query).scalars())


def wrong_ends(
    ended: Mapping[str, Ended],
    wishes: Mapping[str, Wish],
    *,
    cancelling: Collection[str],
    losses: Iterable[Loss],
    declined: Collection[str],
) -> list[str]:
    """For people to read; of tasks that have ended."""
    lost = Counter(loss.task_id for loss in losses)
    wrong: list[str] = []
    for task_id in ended.keys() & wishes.keys():
        wish, told = wishes[task_id], ended[task_id]
        if told.end.state == "cancelled" and task_id in cancelling:
            continue
        complaint = _complaint(wish, told, lost=lost[task_id], declined=task_id in declined)
        if complaint is not None:
            wrong.append(f"{task_id} {complaint}: {wish.body} ended as {told}")
    return sorted(wrong)


def _complaint(wish: Wish, told: Ended, *, lost: int, declined: bool) -> str | None:
    if declined != wish.declined:
        return "was given back" if declined else "was not given back"
    if told.end == wish.right_end:
        return _of_its_way(wish, told, lost=lost)
    kills = told.end == End(state="dead", error_type=CRASH_LOOP.type)
    lost_more = told.end == End(state="dead", error_type=ATTEMPT_LOST) and lost > wish.losses
    return None if kills or lost_more else f"did not end as {wish.right_end}"


def _of_its_way(wish: Wish, told: Ended, *, lost: int) -> str | None:
    if told.end.state == "completed" and told.attempt <= wish.failures:
        return "was completed by an attempt that fails"
    if lost < wish.losses:
        return f"had {lost} attempts given up, not {wish.losses}"
    return None


def unasked_losses(losses: Iterable[Loss], wishes: Mapping[str, Wish]) -> list[Loss]:
    """Attempts that were given up beyond those whose outcome was to be lost."""
    asked = Counter({task_id: wish.losses for task_id, wish in wishes.items()})
    unasked: list[Loss] = []
    for loss in losses:
        if asked[loss.task_id] > 0:
            asked[loss.task_id] -= 1
        else:
            unasked.append(loss)
    return unasked


def unexplained_losses(
    losses: Iterable[Loss], faults: Sequence[Injected], *, after: float
) -> list[Loss]:
    """Those whose agent no faults kept silent for ``after`` seconds."""
    return [loss for loss in losses if _silent(loss, faults) < after]


def _silent(loss: Loss, faults: Sequence[Injected]) -> float:
    """Seconds, at most, for which faults kept its agent from being heard."""
    return sum(
        min(fault.ended + NOTICED_LATE, loss.at) - fault.began
        for fault in faults
        if fault.hits(loss.agent) and fault.began < loss.at
    )
