"""Questions and answers: the ledger, over what this process has just published."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from coordinator.domain.task_queues import TaskQueues
from coordinator.errors import AgentNotFound, LedgerBehind, TaskNotFound
from coordinator.protocol.lanes import lane_name
from coordinator.protocol.messages.events import Event, SourceOpened, TaskSubmitted
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.queries.overlay import Overlay
from coordinator.registry.queries.registry import DOUBTED, Registry
from tests.support.waiting import eventually
from tests.unit.domain.histories import (
    START,
    at,
    cancelled,
    completed,
    dead_lettered,
    failed,
    message,
    progressed,
    started,
    submitted,
)
from tests.unit.registry.answers import stored
from tests.unit.registry.fleet import Fleet, beat, declared, registered

OFTEN = timedelta(milliseconds=10)
GPU = Requirements(capabilities=("gpu",))


class Process:
    """One coordinator process over a ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.agents = Fleet()
        self.book = TaskQueues()
        self.late: list[Event] = []
        """Events that are in the log when the ledger is asked to catch up."""
        self.unheard: list[Event] = []
        """What was said about agents and is on its way here."""
        self.registry = Registry(
            ledger=ledger,
            agents=self.agents,
            book=self.book,
            catch_up=self._catch_up,
            hear=self._hear,
            settle_every=OFTEN,
        )

    async def _catch_up(self) -> None:
        await self.fold(*self.late)

    async def _hear(self) -> None:
        for event in self.unheard:
            self.agents.apply(event)

    async def fold(self, *events: Event) -> None:
        """As its projector does."""
        self.registry.folded((await stored(self.ledger, *events)).events)


@pytest.fixture
def process(ledger: Ledger) -> Process:
    return Process(ledger)


# --- a task -----------------------------------------------------------------------------------


async def test_a_task_that_nobody_submitted_is_not_found(process: Process) -> None:
    with pytest.raises(TaskNotFound):
        await process.registry.task("t")


async def test_a_task_that_is_on_its_way_is_found_once_the_ledger_has_caught_up(
    process: Process,
) -> None:
    process.late = [submitted()]
    with pytest.raises(TaskNotFound):
        await process.registry.find("t")
    assert (await process.registry.task("t")).state == "queued"


async def test_a_task_is_told_with_all_that_is_known_of_it(process: Process) -> None:
    await process.fold(
        submitted(metadata={"owner": "me"}, requirements=GPU.as_dict()),
        started(),
        progressed(0.5),
        completed(result={"words": [1, None]}),
    )
    task = await process.registry.task("t")
    assert (task.task_id, task.state, task.priority) == ("t", "completed", Priority.NORMAL)
    assert (task.requirements, task.lane) == (GPU.as_dict(), lane_name(GPU))
    assert task.task_data == {"task_type": "no-op", "nothing": None}
    assert task.metadata == {"owner": "me"}
    assert (task.generation, task.attempt, task.max_attempts) == (1, 1, 3)
    assert (task.submitted_at, task.started_at, task.ended_at) == (START, at(1), at(3))
    assert (task.agent_id, task.result, task.error) == ("ada", {"words": [1, None]}, None)
    assert task.progress == {"fraction": 0.5, "message": None, "at": at(2).isoformat()}


async def test_a_failed_task_tells_why(process: Process) -> None:
    await process.fold(submitted(max_attempts=1), started(), failed())
    task = await process.registry.task("t")
    assert (task.state, task.result) == ("dead", None)
    assert task.error == {"type": "ValueError", "message": "no", "retryable": True}


async def test_a_task_that_is_known_by_its_dead_letter_alone_has_content(process: Process) -> None:
    await process.fold(dead_lettered("rejected", max_attempts=1))
    task = await process.registry.task("t")
    assert (task.state, task.task_data["task_type"]) == ("dead", "no-op")


async def test_what_agents_say_of_a_task_does_not_make_it_known(process: Process) -> None:
    await process.fold(started())
    with pytest.raises(TaskNotFound):
        await process.registry.task("t")
    await process.fold(submitted())
    assert (await process.registry.task("t")).state == "running"


# --- reads see writes -------------------------------------------------------------------------


async def test_a_task_is_visible_as_soon_as_it_was_answered(process: Process) -> None:
    process.registry.note_submitted(message())
    task = await process.registry.task("t")
    assert (task.state, task.submitted_at) == ("queued", START)
    assert (await process.registry.statistics()).tasks_distributed == 1


async def test_a_cancellation_is_visible_as_soon_as_it_was_answered(process: Process) -> None:
    await process.fold(submitted())
    process.registry.note(cancelled())
    assert (await process.registry.task("t")).state == "cancelled"


@pytest.mark.parametrize("first", ["noted", "folded"])
async def test_whether_it_is_folded_or_noted_first_it_counts_once(
    process: Process, first: str
) -> None:
    if first == "noted":
        process.registry.note_submitted(message())
        await process.fold(submitted())
    else:
        await process.fold(submitted())
        process.registry.note_submitted(message())
    assert (await process.registry.statistics()).tasks_distributed == 1
    assert (await process.registry.task("t")).state == "queued"


async def test_what_another_process_folded_counts_once_too(ledger: Ledger) -> None:
    submitting, folding = Process(ledger), Process(ledger)
    submitting.registry.note_submitted(message())
    await folding.fold(submitted(), started(), completed())
    assert (await submitting.registry.task("t")).state == "completed"
    for _ in range(2):
        assert (await submitting.registry.statistics()).tasks_distributed == 1


async def test_agents_are_visible_as_soon_as_they_were_answered(process: Process) -> None:
    with pytest.raises(AgentNotFound):
        await process.registry.agent("ada")
    process.registry.note(registered())
    assert process.registry.agent_now("ada").status == "active"
    process.registry.note(declared("busy"))
    assert [one.agent_id for one in process.registry.discover(status="busy")] == ["ada"]


async def test_an_agent_that_another_coordinator_registered_is_visible_at_once(
    process: Process,
) -> None:
    process.unheard = [registered()]
    with pytest.raises(AgentNotFound):
        process.registry.agent_now("ada")
    assert (await process.registry.agent("ada")).status == "active"


async def test_an_opened_queue_is_in_the_book_once_it_is_folded(process: Process) -> None:
    opened = SourceOpened(lane="any", priority=Priority.LOW)
    await process.fold(Event(data=opened))
    assert TaskQueue("any", Priority.LOW) in process.book


# --- statistics -------------------------------------------------------------------------------


async def test_an_empty_coordinator_has_zeroes(process: Process) -> None:
    found = await process.registry.statistics()
    assert found.tasks_distributed == found.total_assignments == found.active_agents == 0
    assert found.avg_distribution_time == found.success_rate == found.avg_agent_load == 0.0


async def test_the_statistics_mean_what_the_contract_says(process: Process) -> None:
    await process.fold(
        submitted("a"),
        started(task_id="a", seconds=1),
        completed(task_id="a"),
        submitted("b", max_attempts=1),
        started(task_id="b", seconds=3),
        failed(task_id="b"),
        submitted("c"),
        started(task_id="c", seconds=2),
        failed(task_id="c"),
        submitted("d"),
        submitted("e"),
        cancelled(task_id="e"),
    )
    process.registry.note(registered("ada", slots=1, metadata={"weight": 3}))
    process.registry.note(registered("bob", slots=1))
    process.agents.apply(beat("ada", running=1))
    found = await process.registry.statistics()
    assert (found.tasks_distributed, found.tasks_completed, found.tasks_failed) == (5, 1, 1)
    assert found.avg_distribution_time == 2.0
    assert found.total_assignments == 3
    assert (found.successful_assignments, found.failed_assignments) == (1, 2)
    assert found.success_rate == pytest.approx(1 / 3)
    assert (found.active_agents, found.agent_weights, found.avg_agent_load) == (2, 1, 0.5)


# --- the overlay itself -----------------------------------------------------------------------


def test_the_overlay_forgets_the_oldest_when_nothing_is_folded() -> None:
    overlay = Overlay(most=3)
    for number in range(5):
        overlay.add(submitted(f"task-{number}"))
    assert [event.data.subject for event in overlay.all()] == ["task-2", "task-3", "task-4"]
    assert overlay.of("task-0") == []


def test_the_overlay_keeps_the_events_of_a_task_in_order() -> None:
    overlay = Overlay()
    first, second = submitted(), cancelled()
    overlay.add(first)
    overlay.add(second)
    overlay.add(first)
    assert overlay.of("t") == [first, second]
    overlay.folded([first.id])
    assert overlay.of("t") == [second]
    overlay.folded([second.id])
    assert overlay.of("t") == overlay.all() == []
    assert isinstance(first.data, TaskSubmitted)


async def test_what_was_published_here_of_a_task_that_was_deleted_elsewhere_is_let_go(
    process: Process,
) -> None:
    process.registry.note(submitted())
    process.registry.note(cancelled())
    assert (await process.registry.task("t")).state == "cancelled"
    settling = asyncio.create_task(process.registry.run())
    await eventually(lambda: not process.registry.pending())
    settling.cancel()
    with pytest.raises(TaskNotFound):
        await process.registry.task("t")


async def test_what_the_log_has_lost_is_told_of_and_kept_until_it_is_folded(
    process: Process,
) -> None:
    lost, there, before = submitted("lost"), submitted("there"), submitted("before")
    await process.fold(before)
    for event in (lost, there):
        process.registry.note(event)
    process.late = [there]
    told: list[Event] = []
    process.registry.on_unrecorded = told.append
    process.registry.doubt(at(1))
    await process.registry.settle()
    assert told == process.registry.pending() == [lost]
    assert (await process.registry.task("lost")).state == "queued"
    await process.fold(lost)
    await process.registry.settle()
    assert (told, process.registry.pending()) == ([lost], [])


@pytest.mark.parametrize("until", [at(-1), at(0) + DOUBTED])
async def test_what_was_published_since_or_long_before_is_not_asked_for(
    process: Process, until: datetime
) -> None:
    told: list[Event] = []
    process.registry.on_unrecorded = told.append
    process.registry.note(submitted())
    process.registry.doubt(until)
    await process.registry.settle()
    assert told == process.registry.pending() == []


async def test_what_is_not_in_the_log_yet_is_kept_while_the_ledger_is_behind(
    ledger: Ledger,
) -> None:
    asked = 0

    async def behind() -> None:
        nonlocal asked
        asked += 1
        raise LedgerBehind

    registry = Registry(
        ledger=ledger,
        agents=Fleet(),
        book=TaskQueues(),
        catch_up=behind,
        hear=behind,
        settle_every=OFTEN,
    )
    registry.note(submitted())
    settling = asyncio.create_task(registry.run())
    await eventually(lambda: asked > 2)
    settling.cancel()
    assert (await registry.task("t")).state == "queued"
