"""How much may wait: what is counted, what is let in and what is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from coordinator.broker.channel import Depth
from coordinator.domain.task_queues import TaskQueues
from coordinator.errors import BrokerUnavailable, QueuesFull
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.submission.admission_control import AdmissionControl, AdmissionLimits

LOW, HIGH = (TaskQueue("any", priority) for priority in (Priority.LOW, Priority.HIGH))


class Queues:
    """A broker's queues; None where one was deleted."""

    def __init__(self) -> None:
        self.ready: dict[str, int | None] = {LOW.queue: 0, HIGH.queue: 0}
        self.away = False
        self.meanwhile = 0
        """Tasks that are admitted while it is looked."""
        self.admission: AdmissionControl | None = None

    async def look(self, queues: Iterable[str]) -> Mapping[str, Depth | None]:
        if self.away:
            raise BrokerUnavailable
        found = {name: self.ready[name] for name in queues}
        for _ in range(self.meanwhile):
            assert self.admission is not None
            self.admission.admit(1)
        return {
            name: None if count is None else Depth(count, consumers=0)
            for name, count in found.items()
        }


@pytest.fixture
def queues() -> Queues:
    return Queues()


def admission_over(queues: Queues, **most: int) -> AdmissionControl:
    book = TaskQueues()
    for source in (LOW, HIGH):
        book.add(source, Requirements())
    queues.admission = AdmissionControl(book=book, depths=queues, most=AdmissionLimits(**most))
    return queues.admission


def let_in(admission: AdmissionControl, size: int = 1) -> int:
    """How many more are admitted."""
    count = 0
    while count < 1000:
        try:
            admission.admit(size)
        except QueuesFull:
            break
        count += 1
    return count


async def test_what_waits_and_what_was_admitted_since_count_together(queues: Queues) -> None:
    admission = admission_over(queues, tasks=10)
    assert let_in(admission) == 10
    queues.ready = {LOW.queue: 4, HIGH.queue: 3}
    await admission.look()
    assert let_in(admission) == 3
    assert let_in(admission) == 0
    queues.ready = {LOW.queue: 9, HIGH.queue: None}
    await admission.look()
    assert let_in(admission) == 1


async def test_what_is_admitted_during_a_look_is_not_forgotten(queues: Queues) -> None:
    admission = admission_over(queues, tasks=10)
    queues.meanwhile = 4
    await admission.look()
    assert let_in(admission) == 6


async def test_bytes_are_those_of_what_was_admitted_lately(queues: Queues) -> None:
    admission = admission_over(queues, size=10_000)
    assert let_in(admission, 1000) == 10
    queues.ready = {LOW.queue: 5, HIGH.queue: 0}
    await admission.look()
    assert let_in(admission, 1000) == 5


async def test_one_task_larger_than_the_limit_is_let_in_where_nothing_waits(
    queues: Queues,
) -> None:
    assert let_in(admission_over(queues, size=10), 1000) == 1


async def test_a_refusal_names_the_setting_and_says_that_nothing_was_sent(queues: Queues) -> None:
    admission = admission_over(queues, tasks=1)
    assert let_in(admission) == 1
    with pytest.raises(QueuesFull, match=r"About 1 tasks wait.*COORDINATOR_MAX_QUEUED_TASKS.*sent"):
        admission.admit(1)
    assert admission.problem is not None
    await admission.look()
    assert admission.problem is None


async def test_without_limits_everything_is_let_in(queues: Queues) -> None:
    assert let_in(admission_over(queues)) == 1000


async def test_while_the_broker_is_away_the_last_figure_counts(queues: Queues) -> None:
    admission = admission_over(queues, tasks=10)
    queues.ready = {LOW.queue: 8, HIGH.queue: 0}
    await admission.look()
    queues.away = True
    with pytest.raises(BrokerUnavailable):
        await admission.look()
    assert let_in(admission) == 2


async def test_who_asks_gets_the_depths_that_were_seen_last(queues: Queues) -> None:
    admission = admission_over(queues, tasks=10)
    assert admission.depths_seen is None
    queues.ready[LOW.queue] = 4
    await admission.look()
    assert admission.depths_seen == {
        LOW.queue: Depth(4, consumers=0),
        HIGH.queue: Depth(0, consumers=0),
    }
