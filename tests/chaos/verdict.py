"""What must be so when everything has come to rest, whatever was done to the system."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.task import ENDED
from coordinator.protocol.messages.events import CRASH_LOOP
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.ledger.ledger_rebuild import rebuild
from coordinator.registry.tables import schema
from tests.chaos.book import Book
from tests.chaos.executions import Record, explained
from tests.chaos.faults import RESTARTED, Injected
from tests.chaos.right_ends import (
    Ended,
    Loss,
    declined_in,
    losses_in,
    unasked_losses,
    unexplained_losses,
    wrong_ends,
)
from tests.chaos.workload import End, Wish
from tests.unit.registry.answers import answers, totals_agree

__all__ = ["Verdict", "judge", "under_way"]


@dataclass(slots=True)
class Verdict:
    """Empty lists are good news."""

    problems: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    """Answered 200, and not in exactly one terminal state."""
    extra: list[Injected | None] = field(default_factory=list)
    """What explains each execution beyond those that were due; None for an answer "unknown"."""
    states: Counter[str] = field(default_factory=Counter)
    """Of the tasks whose own message reached the log: what totals count. A submission that was answered
    "unknown" may have reached its queue alone."""

    def expect(self, good: bool, problem: str) -> None:
        if not good:
            self.problems.append(problem)


@dataclass(frozen=True, slots=True)
class _Row:
    state: str
    known: bool
    attempt: int
    error_type: str | None
    ended_at: float
    """Seconds since 1970."""

    @property
    def end(self) -> End:
        return End(state=self.state, error_type=self.error_type if self.state == "dead" else None)


async def under_way(ledger: Ledger, book: Book) -> list[str]:
    """What has not ended, for people to read: accepted, or only in doubt; empty at last.

    Where the answer was "unknown", the message may have reached its queue and never the log. What the
    agents say of such a task makes a row that nobody is shown, and that waits for its message for ever.
    """
    tasks = schema.tasks
    query = sa.select(tasks.c.task_id, tasks.c.state, tasks.c.lane, tasks.c.attempt)

    def look(connection: Connection) -> list[str]:
        going_on = tasks.c.state.not_in(sorted(ENDED)) & (tasks.c.content > 0)
        found = [
            f"{row.task_id} ({'accepted' if row.task_id in book.accepted else 'in doubt'}) is"
            f" {row.state} in {row.lane}, attempt {row.attempt}"
            for row in connection.execute(query.where(going_on).limit(20))
        ]
        if found:
            return found
        every = sa.select(tasks.c.task_id).where(tasks.c.content > 0)
        known = set(connection.execute(every).scalars())
        return [f"{one} (accepted) is not known" for one in book.accepted if one not in known]

    return await ledger.read(look)


async def judge(
    ledger: Ledger,
    book: Book,
    record: Record,
    faults: Sequence[Injected],
    *,
    unanswered: Mapping[str, int],
    attempt_lost_after: float,
) -> Verdict:
    """Over a ledger that nobody writes to any more. ``unanswered``: how often a coordinator itself
    published an attempt of a task and was not answered; ``attempt_lost_after``: seconds, as it is set.
    """
    verdict = Verdict()
    rows = await ledger.read(_rows)
    verdict.states.update(row.state for row in rows.values() if row.known)
    _judge_ends(verdict, rows, book)
    idle = [
        one for one, row in rows.items() if row.state == "completed" and one not in record.by_task
    ]
    verdict.expect(not idle, f"completed, and never executed: {idle[:5]}")
    losses = await ledger.read(losses_in)
    unasked = unasked_losses(losses, book.wishes())
    unexplained = unexplained_losses(unasked, faults, after=attempt_lost_after)
    verdict.expect(
        not unexplained,
        f"{len(unexplained)} attempts are told to be lost, and are not: {unexplained[:3]}",
    )
    declined = await ledger.read(declined_in)
    _judge_right_ends(verdict, rows, book, losses, declined)
    again = Counter(unanswered) + Counter(loss.task_id for loss in unasked)
    _judge_executions(verdict, book, record, faults, again)
    _judge_crash_loops(verdict, rows, book, faults)
    await _judge_ledger(verdict, ledger)
    return verdict


def _rows(connection: Connection) -> dict[str, _Row]:
    columns = schema.tasks.c
    query = sa.select(
        columns.task_id,
        columns.state,
        columns.content,
        columns.attempt,
        columns.error_type,
        columns.ended_at,
    )
    return {
        row.task_id: _Row(
            row.state, row.content > 0, row.attempt, row.error_type, (row.ended_at or 0) / 1e6
        )
        for row in connection.execute(query)
    }


def _judge_ends(verdict: Verdict, rows: dict[str, _Row], book: Book) -> None:
    verdict.lost = [
        task_id
        for task_id in book.accepted
        if task_id not in rows or not rows[task_id].known or rows[task_id].state not in ENDED
    ]
    verdict.expect(not verdict.lost, f"{len(verdict.lost)} tasks are lost: {verdict.lost[:5]}")
    reversed_ = [one for one in book.cancelled if rows[one].state not in ENDED]
    verdict.expect(not reversed_, f"cancelled, and going on: {reversed_[:5]}")
    going_on = [one for one, row in rows.items() if row.known and row.state not in ENDED]
    verdict.expect(not going_on, f"not ended: {going_on[:5]}")
    strangers = rows.keys() - book.accepted.keys() - set(book.ids.values())
    verdict.expect(
        len(strangers) <= book.nameless,
        f"{len(strangers)} tasks under ids that nobody was told, and only {book.nameless} requests"
        f" without an answer: {sorted(strangers)[:5]}",
    )


def _judge_right_ends(
    verdict: Verdict,
    rows: dict[str, _Row],
    book: Book,
    losses: Sequence[Loss],
    declined: set[str],
) -> None:
    ended = {
        one: Ended(end=row.end, attempt=row.attempt)
        for one, row in rows.items()
        if row.known and row.state in ENDED
    }
    wrong = wrong_ends(
        ended, book.wishes(), cancelling=book.cancelling, losses=losses, declined=declined
    )
    verdict.expect(not wrong, f"{len(wrong)} tasks did not end as is right for them: {wrong[:3]}")


def _judge_executions(
    verdict: Verdict,
    book: Book,
    record: Record,
    faults: Sequence[Injected],
    again: Mapping[str, int],
) -> None:
    """``again``: how often coordinators have published a task once more, or may have."""
    wishes: dict[str, Wish] = dict(book.accepted)
    by_number = {wish.number: wish for wish in book.in_doubt.values()}
    unexplained: list[str] = []
    for task_id, executions in record.by_task.items():
        wish = wishes.get(task_id) or by_number.get(executions[0].number)
        if wish is None:
            refused = executions[0].number in book.refused
            what = "was told to be not sent" if refused else "is nobody's"
            verdict.problems.append(f"{task_id} was executed and {what}")
            continue
        unknown = book.doubts[wish.number] + again.get(task_id, 0)
        extra = explained(executions, due=wish.due, unknown=unknown, faults=faults)
        if extra is None:
            unexplained.append(f"{task_id}: {executions}")
        else:
            verdict.extra += extra
    verdict.expect(
        not unexplained,
        f"{len(unexplained)} tasks were executed more often than faults explain: {unexplained[:3]}",
    )


def _judge_crash_loops(
    verdict: Verdict, rows: dict[str, _Row], book: Book, faults: Sequence[Injected]
) -> None:
    """A task ends as one that kills agents only where it lived through as many faults of agents as it had
    attempts left: their restarts as well, which a broker before 4.3 cannot tell from losses.
    """
    blameless: list[str] = []
    for task_id, wish in book.accepted.items():
        row = rows.get(task_id)
        if row is None or row.state != "dead" or row.error_type != CRASH_LOOP.type:
            continue
        losses = [
            fault
            for fault in faults
            if (fault.agents or fault.kind == RESTARTED)
            and fault.began <= row.ended_at
            and fault.ended >= book.first_sent[wish.number]
        ]
        if len(losses) <= wish.max_attempts - (wish.due - wish.releases):
            blameless.append(f"{task_id}: {losses}")
    verdict.expect(
        not blameless, f"{len(blameless)} tasks are told to kill agents: {blameless[:3]}"
    )


async def _judge_ledger(verdict: Verdict, ledger: Ledger) -> None:
    waiting = sa.select(sa.func.count()).select_from(schema.outbox)
    outbox = await ledger.read(lambda connection: connection.execute(waiting).scalar_one())
    verdict.expect(outbox == 0, f"{outbox} attempts are still to be published")
    reasons = sa.select(schema.parked.c.reason)
    parked = await ledger.read(lambda connection: connection.execute(reasons).scalars().all())
    verdict.expect(not parked, f"{len(parked)} messages are parked: {parked[:3]}")
    verdict.expect(await totals_agree(ledger), "the totals are not what the tasks add up to")
    live = await answers(ledger)
    await ledger.write(rebuild)
    again = await answers(ledger)
    for name in live:
        verdict.expect(
            again[name] == live[name],
            f"a rebuild gives other {name}: {_first_difference(live[name], again[name])}",
        )


def _first_difference(live: list[object], again: list[object]) -> str:
    for mine, theirs in zip(live, again, strict=False):
        if mine != theirs:
            return f"{mine} became {theirs}"
    return f"{len(live)} rows became {len(again)}"
