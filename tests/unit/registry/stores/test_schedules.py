"""Recurring schedules: one run for each tick, whoever runs it and wherever that one stops."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import pytest
from sqlalchemy.engine import Connection

from coordinator.domain.cron.interval import Interval
from coordinator.domain.cron.ticks import Missed
from coordinator.errors import (
    BrokerUnavailable,
    Conflict,
    InvalidRequest,
    LedgerBehind,
    OutcomeUnknown,
    ScheduleNotFound,
    TooManyLanes,
    WrongState,
)
from coordinator.recovery.schedule_runner import ScheduleRunner, tick_id
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.stores.recurring_schedule import RecurringSchedule
from coordinator.registry.stores.schedule_edits import ScheduleEdit
from coordinator.registry.stores.schedule_leases import any_due
from coordinator.registry.stores.schedules import LEASE, Schedules
from coordinator.registry.tables.schema import schedules as table
from tests.support.waiting import eventually
from tests.unit.domain.histories import START
from tests.unit.registry.answers import execute

T = TypeVar("T")

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
FIRST = START.replace(second=0, microsecond=0) + MINUTE


def a_schedule(schedule_id: str = "s", **more: Any) -> RecurringSchedule:
    given: dict[str, Any] = {
        "schedule_id": schedule_id,
        "cron": "* * * * *",
        "timezone": "UTC",
        "missed": Missed.SKIP,
        "task": {"task_data": {"task_type": "no-op"}, "priority": "low"},
        "created_at": START,
        "next_at": None,
    }
    return RecurringSchedule(**(given | more))


class Process:
    """A coordinator with a clock and a producer of the test's own."""

    def __init__(self, ledger: Ledger) -> None:
        self.time = START
        self.submitted: list[dict[str, Any]] = []
        self.repeated: list[bool] = []
        """Of each try, whether it was told that it may have been accepted before."""
        self.fails: Exception | None = None
        self.fails_after = 0
        self.broker_is_there = True
        self.schedules = Schedules(ledger, now=self.now)
        self.ticks = ScheduleRunner(
            schedules=self.schedules,
            submit=self.submit,
            ready=lambda: self.broker_is_there,
            now=self.now,
        )

    def now(self) -> datetime:
        return self.time

    async def submit(self, body: dict[str, Any], *, by: str | None, repeated: bool) -> None:
        self.repeated.append(repeated)
        if self.fails is not None and len(self.submitted) >= self.fails_after:
            raise self.fails
        self.submitted.append(body)

    async def at(self, instant: datetime) -> list[str]:
        """The ids of the tasks that a look then submits."""
        before = len(self.submitted)
        self.time = instant
        await self.ticks.look()
        return [body["task_data"]["task_id"] for body in self.submitted[before:]]


@pytest.fixture
def process(ledger: Ledger) -> Process:
    return Process(ledger)


@pytest.fixture
def other(ledger: Ledger) -> Process:
    return Process(ledger)


def run(tick: datetime, schedule_id: str = "s") -> str:
    return tick_id(schedule_id, START, tick)


async def test_each_tick_is_run_once_and_the_schedule_tells_of_it(process: Process) -> None:
    created = await process.schedules.create(a_schedule())
    assert created.next_at == FIRST
    assert await process.at(FIRST - timedelta(seconds=1)) == []
    assert await process.at(FIRST) == [run(FIRST)]
    assert await process.at(FIRST + timedelta(seconds=1)) == []
    assert await process.at(FIRST + MINUTE) == [run(FIRST + MINUTE)]
    (body, _) = process.submitted
    assert body["priority"] == "low"
    told = await process.schedules.get("s")
    assert (told.last_run_at, told.last_task_id) == (FIRST + MINUTE, run(FIRST + MINUTE))
    assert told.next_at == FIRST + 2 * MINUTE


async def test_two_coordinators_run_a_tick_once(process: Process, other: Process) -> None:
    for number in range(20):
        await process.schedules.create(a_schedule(f"s{number}"))
    found = [*await process.at(FIRST), *await other.at(FIRST)]
    assert sorted(found) == sorted(run(FIRST, f"s{number}") for number in range(20))


async def test_a_tick_whose_coordinator_died_is_run_by_another_under_the_same_id(
    process: Process, other: Process
) -> None:
    await process.schedules.create(a_schedule())
    process.time = FIRST
    assert len(await process.schedules.lease_due()) == 1  # and dies
    assert await other.at(FIRST + LEASE) == []
    assert await other.at(FIRST + LEASE + timedelta(seconds=1)) == [run(FIRST)]


async def test_while_the_broker_is_away_nothing_is_leased_and_then_it_goes_on_at_once(
    process: Process, other: Process
) -> None:
    await process.schedules.create(a_schedule())
    process.broker_is_there = False
    assert await process.at(FIRST) == []
    assert process.repeated == []
    assert await other.at(FIRST) == [run(FIRST)]


@pytest.mark.parametrize("why", [BrokerUnavailable(), LedgerBehind()])
async def test_a_tick_of_which_nothing_was_sent_is_anybodys_at_once(
    process: Process, other: Process, why: Exception
) -> None:
    await process.schedules.create(a_schedule())
    process.fails = why
    assert await process.at(FIRST) == []
    assert await other.at(FIRST) == [run(FIRST)]
    assert other.repeated == [False]


async def test_a_tick_that_may_have_been_accepted_waits_a_lease_and_is_told_to_be_repeated(
    process: Process, other: Process
) -> None:
    await process.schedules.create(a_schedule())
    process.fails = OutcomeUnknown()
    assert await process.at(FIRST) == []
    assert await other.at(FIRST + LEASE) == []
    other.fails = BrokerUnavailable()
    assert await other.at(FIRST + LEASE + SECOND) == []
    assert await process.at(FIRST + 2 * LEASE) == []
    process.fails = None
    assert await process.at(FIRST + 2 * LEASE + 2 * SECOND) == [run(FIRST)]
    assert (process.repeated, other.repeated) == ([False, True], [True])


async def test_ticks_that_were_accepted_before_the_broker_went_away_are_not_submitted_again(
    process: Process, other: Process
) -> None:
    await process.schedules.create(a_schedule(missed=Missed.ALL))
    process.fails, process.fails_after = BrokerUnavailable(), 2
    late = FIRST + 3 * MINUTE
    ids = [run(FIRST + number * MINUTE) for number in range(4)]
    assert await process.at(late) == ids[:2]
    assert (await process.schedules.get("s")).last_task_id == ids[1]
    assert await other.at(late) == ids[2:]
    assert other.repeated == [False, False]


async def test_a_lease_is_renewed_while_the_broker_takes_its_time(
    process: Process, other: Process, ledger: Ledger
) -> None:
    await process.schedules.create(a_schedule())
    answered = asyncio.Event()

    async def slow(body: dict[str, Any], *, by: str | None, repeated: bool) -> None:
        await answered.wait()
        process.submitted.append(body)

    process.ticks = ScheduleRunner(
        schedules=process.schedules,
        submit=slow,
        ready=lambda: True,
        now=process.now,
        renewed_every=0,
    )

    async def is_leased_at(instant: datetime) -> bool:
        return not await ledger.read(partial(any_due, instant))

    looking = asyncio.create_task(process.at(FIRST))
    await eventually(lambda: is_leased_at(FIRST))
    process.time = FIRST + LEASE
    await eventually(lambda: is_leased_at(FIRST + LEASE + SECOND))
    assert await other.at(FIRST + LEASE + SECOND) == []
    answered.set()
    assert await looking == [run(FIRST)]


async def test_a_clock_that_was_set_back_holds_up_no_schedule(process: Process) -> None:
    await process.schedules.create(a_schedule())
    process.time = FIRST + timedelta(hours=2)
    assert len(await process.schedules.lease_due()) == 1  # and dies, and then the clock is set
    assert await process.at(FIRST) == [run(FIRST)]


async def test_a_task_that_is_refused_is_told_and_the_next_tick_is_tried(
    process: Process, caplog: pytest.LogCaptureFixture
) -> None:
    await process.schedules.create(a_schedule())
    process.fails = TooManyLanes("No room.")
    assert await process.at(FIRST) == []
    assert (await process.schedules.get("s")).last_error == "No room."
    (told,) = (vars(one) for one in caplog.records)
    assert (told["schedule"], told["task_id"], told["task_type"]) == ("s", run(FIRST), "no-op")
    process.fails = None
    assert await process.at(FIRST + MINUTE) == [run(FIRST + MINUTE)]
    assert (await process.schedules.get("s")).last_error is None


@pytest.mark.parametrize(
    ("missed", "runs"),
    [(Missed.SKIP, []), (Missed.ONCE, [3]), (Missed.ALL, [0, 1, 2, 3])],
)
async def test_ticks_that_passed_unheard_are_run_by_policy(
    process: Process, missed: Missed, runs: list[int]
) -> None:
    await process.schedules.create(a_schedule(cron="0 * * * *", missed=missed))
    first = START.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    found = await process.at(first + timedelta(hours=3, minutes=30))
    assert found == [run(first + timedelta(hours=number)) for number in runs]
    assert await process.at(first + timedelta(hours=4)) == [run(first + timedelta(hours=4))]


WRONG = pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"timezone": "Mars/Olympus"}, "timezone 'Mars/Olympus' is not known"),
        ({"cron": "0 0 ? * 1"}, "cron '0 0 \\? \\* 1' cannot be read"),
        ({"cron": ""}, "has 0 fields"),
        ({"missed": "perhaps"}, "Its row in the ledger cannot be read: 'perhaps'"),
        ({"task": "{"}, "Its row in the ledger cannot be read"),
        ({"task": '{"priority": "low"}'}, "Its row in the ledger cannot be read"),
        ({"created_at": 2**62}, "Its row in the ledger cannot be read"),
        ({"task": "[7]"}, "Its row in the ledger cannot be read: its task is no submission"),
    ],
)


async def spoil(ledger: Ledger, schedule_id: str, **values: Any) -> None:
    this = table.update().where(table.c.schedule_id == schedule_id).values(values)
    await ledger.write(partial(execute, this))


@WRONG
async def test_a_schedule_that_cannot_be_run_any_more_is_set_aside_and_the_others_go_on(
    process: Process, ledger: Ledger, wrong: dict[str, Any], why: str
) -> None:
    for name in ("a", "b", "c"):
        await process.schedules.create(a_schedule(name))
    await spoil(ledger, "b", **wrong)
    assert await process.at(FIRST) == [run(FIRST, "a"), run(FIRST, "c")]
    told = await process.schedules.get("b")
    assert told.next_at is None
    assert told.last_error is not None
    assert re.search(why, told.last_error)
    found, more = await process.schedules.page("", 9)
    assert ([one.schedule_id for one in found], more) == (["a", "b", "c"], False)
    process.time = FIRST + timedelta(seconds=30)
    assert not await ledger.read(partial(any_due, process.time))
    await process.schedules.delete("b")
    assert await process.at(FIRST + MINUTE) == [
        run(FIRST + MINUTE, "a"),
        run(FIRST + MINUTE, "c"),
    ]


@WRONG
async def test_a_schedule_that_cannot_be_run_any_more_is_not_resumed(
    process: Process, ledger: Ledger, wrong: dict[str, Any], why: str
) -> None:
    await process.schedules.create(a_schedule())
    await spoil(ledger, "s", **wrong)
    assert (await process.schedules.pause("s")).paused
    with pytest.raises(WrongState, match=why):
        await process.schedules.resume("s")


async def test_a_schedule_that_was_set_aside_is_taken_up_by_who_can_run_it(
    process: Process, other: Process, ledger: Ledger
) -> None:
    for name in ("s", "t"):
        await process.schedules.create(a_schedule(name))
    await process.schedules.create(a_schedule("paused"))
    await process.schedules.pause("paused")
    await spoil(ledger, "s", timezone="Mars/Olympus")
    await spoil(ledger, "t", cron="")
    assert await process.at(FIRST) == []
    await process.ticks.take_up()
    assert (await process.schedules.get("s")).next_at is None
    await spoil(ledger, "s", timezone="Europe/Vienna")  # as if the other knew Mars
    other.time = FIRST + 5 * MINUTE
    await other.ticks.take_up()
    taken = await process.schedules.get("s")
    assert (taken.next_at, taken.last_error) == (FIRST + 6 * MINUTE, None)
    assert (await process.schedules.get("t")).next_at is None
    assert (await process.schedules.get("paused")).paused
    assert await other.at(FIRST + 6 * MINUTE) == [run(FIRST + 6 * MINUTE)]


async def test_an_error_that_nobody_expected_is_told_and_the_next_tick_is_tried(
    process: Process,
) -> None:
    await process.schedules.create(a_schedule())
    process.fails = RuntimeError("boom\x00")
    assert await process.at(FIRST) == []
    assert (await process.schedules.get("s")).last_error == "RuntimeError: boom\ufffd"
    process.fails = None
    assert await process.at(FIRST + MINUTE) == [run(FIRST + MINUTE)]


@pytest.mark.parametrize("cron", ["30 2 * * *", "0 30 2 * * *"])
async def test_a_schedule_made_or_resumed_in_the_hour_that_comes_twice_runs_the_next_day(
    process: Process, cron: str
) -> None:
    second_pass = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)
    next_day = datetime(2026, 10, 26, 1, 30, tzinfo=UTC)
    process.time = second_pass
    made = await process.schedules.create(a_schedule(cron=cron, timezone="Europe/Vienna"))
    await process.schedules.pause("s")
    resumed = await process.schedules.resume("s")
    assert (made.next_at, resumed.next_at) == (next_day, next_day)
    for minutes in range(0, 60, 10):
        assert await process.at(second_pass + minutes * MINUTE) == []
    assert await process.at(next_day) == [run(next_day)]


async def test_a_paused_schedule_runs_nothing_and_misses_nothing(process: Process) -> None:
    await process.schedules.create(a_schedule(missed=Missed.ALL))
    assert (await process.schedules.pause("s")).paused
    assert await process.at(FIRST + 5 * MINUTE) == []
    resumed = await process.schedules.resume("s")
    assert (resumed.paused, resumed.next_at) == (False, FIRST + 6 * MINUTE)
    assert await process.at(FIRST + 6 * MINUTE) == [run(FIRST + 6 * MINUTE)]


async def test_a_deleted_schedule_runs_nothing(process: Process) -> None:
    await process.schedules.create(a_schedule())
    await process.schedules.delete("s")
    assert await process.at(FIRST) == []
    for question in (process.schedules.get, process.schedules.delete, process.schedules.pause):
        with pytest.raises(ScheduleNotFound):
            await question("s")


async def test_schedules_are_listed_by_id_a_page_at_a_time(process: Process) -> None:
    for name in "cab":
        await process.schedules.create(a_schedule(name))
    for after, ids, further in (("", ["a", "b"], True), ("b", ["c"], False)):
        found, more = await process.schedules.page(after, 2)
        assert ([one.schedule_id for one in found], more) == (ids, further)


async def test_what_cannot_be_a_schedule_is_refused(process: Process) -> None:
    await process.schedules.create(a_schedule())
    with pytest.raises(Conflict, match="exists"):
        await process.schedules.create(a_schedule())
    with pytest.raises(InvalidRequest, match="cron"):
        await process.schedules.create(a_schedule("t", cron="never"))
    with pytest.raises(InvalidRequest, match="schedule_id"):
        await process.schedules.create(a_schedule(""))


HOURLY = "0 * * * *"
HOUR = timedelta(hours=1)


async def test_an_edit_changes_what_it_names_and_the_next_tick_is_of_the_new_rule(
    process: Process, other: Process
) -> None:
    await process.schedules.create(a_schedule(created_by="key:night"))
    hour = START.replace(minute=0, second=0, microsecond=0) + HOUR
    edited = await other.schedules.edit("s", ScheduleEdit(cron=HOURLY, missed=Missed.ONCE))
    assert edited == await process.schedules.get("s")
    assert (edited.cron, edited.missed, edited.next_at) == (HOURLY, Missed.ONCE, hour)
    assert (edited.task, edited.created_by) == (a_schedule().task, "key:night")
    assert await process.at(FIRST) == []
    assert await process.at(hour) == [run(hour)]


async def test_a_tick_that_is_due_is_run_once_by_what_it_was_edited_to(
    process: Process, other: Process
) -> None:
    await process.schedules.create(a_schedule())
    other.time = FIRST
    task = {"task_data": {"task_type": "other"}}
    edited = await other.schedules.edit("s", ScheduleEdit(cron=HOURLY, task=task))
    assert edited.next_at == FIRST
    assert [*await process.at(FIRST), *await other.at(FIRST)] == [run(FIRST)]
    assert process.submitted[0]["task_data"]["task_type"] == "other"
    assert (await process.schedules.get("s")).next_at == FIRST.replace(minute=0) + HOUR


async def test_while_a_tick_is_submitted_its_schedule_is_not_moved_and_its_task_may_be_changed(
    process: Process, other: Process
) -> None:
    await process.schedules.create(a_schedule())
    process.time = other.time = FIRST
    (leased,) = await process.schedules.lease_due()
    for wanted in (ScheduleEdit(cron=HOURLY), ScheduleEdit(timezone="Europe/Vienna")):
        with pytest.raises(WrongState, match="repeat it in a moment"):
            await other.schedules.edit("s", wanted)
    await other.schedules.edit("s", ScheduleEdit(task={"task_data": {"task_type": "other"}}))
    await process.schedules.advance(leased, FIRST, (FIRST, run(FIRST)), None)
    assert await other.at(FIRST) == []
    assert await other.at(FIRST + MINUTE) == [run(FIRST + MINUTE)]
    assert other.submitted[0]["task_data"]["task_type"] == "other"
    assert (await other.schedules.edit("s", ScheduleEdit(cron=HOURLY))).cron == HOURLY


async def test_a_schedule_that_was_set_aside_goes_on_as_it_is_edited(
    process: Process, ledger: Ledger
) -> None:
    await process.schedules.create(a_schedule())
    await ledger.write(partial(execute, table.update().values(timezone="Mars/Olympus")))
    assert await process.at(FIRST) == []
    assert (await process.schedules.get("s")).next_at is None
    edited = await process.schedules.edit("s", ScheduleEdit(timezone="UTC"))
    assert (edited.next_at, edited.last_error) == (FIRST + MINUTE, None)
    assert await process.at(FIRST + MINUTE) == [run(FIRST + MINUTE)]


async def test_a_paused_schedule_stays_paused_when_it_is_edited(process: Process) -> None:
    await process.schedules.create(a_schedule())
    await process.schedules.pause("s")
    process.time = FIRST + MINUTE
    edited = await process.schedules.edit("s", ScheduleEdit(cron="0 0 * * *"))
    assert edited.paused
    assert edited.next_at == FIRST.replace(hour=0, minute=0) + 24 * HOUR
    assert await process.at(edited.next_at) == []


async def test_what_cannot_be_edited_is_refused_and_stays_as_it_was(process: Process) -> None:
    made = await process.schedules.create(a_schedule())
    with pytest.raises(ScheduleNotFound):
        await process.schedules.edit("nothing", ScheduleEdit(cron=HOURLY))
    for wrong in (ScheduleEdit(cron="* * *"), ScheduleEdit(timezone="Mars/Olympus")):
        with pytest.raises(InvalidRequest):
            await process.schedules.edit("s", wrong)
    interval = Interval.begun(60, START).text
    with pytest.raises(InvalidRequest, match="has an interval"):
        await process.schedules.edit("s", ScheduleEdit(cron=interval, timezone="Europe/Vienna"))
    assert await process.schedules.get("s") == made


async def test_each_tick_of_an_interval_is_run_once_by_two_coordinators(
    process: Process, other: Process
) -> None:
    every = Interval.begun(90, START)
    await process.schedules.create(a_schedule(cron=every.text))
    found: list[str] = []
    for past in range(0, 300, 15):
        for one in (process, other):
            found += await one.at(START + past * SECOND)
    assert found == [run(every.start + number * 90 * SECOND) for number in (1, 2, 3)]


async def test_an_interval_takes_the_place_of_a_cron_expression_and_its_zone(
    process: Process,
) -> None:
    await process.schedules.create(a_schedule(timezone="Europe/Vienna"))
    every = Interval.begun(3600, START)
    edited = await process.schedules.edit("s", ScheduleEdit(cron=every.text))
    assert (edited.timezone, edited.next_at) == ("UTC", every.start + HOUR)
    back = await process.schedules.edit("s", ScheduleEdit(cron="* * * * *", timezone="Asia/Tokyo"))
    assert (back.timezone, back.next_at) == ("Asia/Tokyo", FIRST)


async def test_an_interval_that_is_asked_for_again_goes_on_and_another_begins_anew(
    process: Process,
) -> None:
    every = Interval.begun(3600, START)
    made = await process.schedules.create(a_schedule(cron=every.text))
    later = process.time = START + MINUTE
    again = ScheduleEdit(cron=Interval.begun(3600, later).text)
    assert await process.schedules.edit("s", again) == made
    other = Interval.begun(1800, later)
    edited = await process.schedules.edit("s", ScheduleEdit(cron=other.text))
    assert (edited.cron, edited.next_at) == (other.text, other.start + HOUR / 2)


async def test_an_interval_takes_the_place_of_one_that_cannot_be_read(
    process: Process, ledger: Ledger
) -> None:
    await process.schedules.create(a_schedule())
    await spoil(ledger, "s", cron="@every 60 from nowhere")
    assert await process.at(FIRST) == []
    every = Interval.begun(60, FIRST)
    edited = await process.schedules.edit("s", ScheduleEdit(cron=every.text))
    assert (edited.next_at, edited.last_error) == (every.start + MINUTE, None)


class Interrupted(Ledger):
    """Lets another process do something right before the next transaction that writes."""

    before: Callable[[], Awaitable[object]] | None = None

    async def write(self, work: Callable[[Connection], T]) -> T:
        before, self.before = self.before, None
        if before is not None:
            await before()
        return await super().write(work)


@pytest.fixture
async def interrupted(ledger: Ledger, ledger_url: str) -> AsyncIterator[Interrupted]:
    async with Interrupted(ledger_url) as interrupted:
        yield interrupted


async def test_a_schedule_that_is_resumed_while_it_is_edited_is_due_by_what_it_was_edited_to(
    interrupted: Interrupted, other: Process
) -> None:
    process = Process(interrupted)
    await process.schedules.create(a_schedule())
    await process.schedules.pause("s")
    interrupted.before = lambda: other.schedules.edit("s", ScheduleEdit(cron=HOURLY))
    resumed = await process.schedules.resume("s")
    assert resumed == await other.schedules.get("s")
    hour = START.replace(minute=0, second=0, microsecond=0) + HOUR
    assert (resumed.paused, resumed.cron, resumed.next_at) == (False, HOURLY, hour)


async def test_a_schedule_that_is_paused_while_its_tick_is_submitted_tells_of_it(
    interrupted: Interrupted, other: Process
) -> None:
    process = Process(interrupted)
    await process.schedules.create(a_schedule())
    interrupted.before = lambda: other.at(FIRST)
    paused = await process.schedules.pause("s")
    assert paused == await other.schedules.get("s")
    assert (paused.paused, paused.next_at) == (True, FIRST + MINUTE)
    assert paused.last_task_id == run(FIRST)


async def test_a_schedule_that_is_resumed_while_its_tick_is_submitted_tells_of_it_and_is_not_late(
    process: Process, other: Process
) -> None:
    await process.schedules.create(a_schedule(cron="* * * * * *"))
    tick = START.replace(microsecond=0) + SECOND
    process.time = other.time = tick
    (leased,) = await process.schedules.lease_due()
    await other.schedules.pause("s")
    assert (await other.schedules.resume("s")).next_at == tick + SECOND
    await process.schedules.advance(leased, tick, (tick, run(tick)), None)
    told = await other.schedules.get("s")
    assert (told.last_run_at, told.last_task_id) == (tick, run(tick))
    assert await other.at(tick + SECOND) == [run(tick + SECOND)]
    assert other.repeated == [False]


async def test_a_schedule_that_was_set_aside_and_is_resumed_tells_no_error_any_more(
    process: Process, ledger: Ledger
) -> None:
    await process.schedules.create(a_schedule())
    await spoil(ledger, "s", timezone="Mars/Olympus")
    assert await process.at(FIRST) == []
    await process.schedules.pause("s")
    await spoil(ledger, "s", timezone="UTC")  # as if this one knew Mars
    resumed = await process.schedules.resume("s")
    assert resumed == await process.schedules.get("s")
    assert (resumed.next_at, resumed.last_error) == (FIRST + MINUTE, None)


class Suspended(Process):
    """A coordinator that stops when it is about to submit, and renews nothing, until it wakes."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self.stopped, self.wakes = asyncio.Event(), asyncio.Event()
        self.ticks = ScheduleRunner(
            schedules=self.schedules,
            submit=self.submit,
            ready=lambda: True,
            now=self.now,
            renewed_every=3600,
        )

    async def submit(self, body: dict[str, Any], *, by: str | None, repeated: bool) -> None:
        self.stopped.set()
        await self.wakes.wait()
        await super().submit(body, by=by, repeated=repeated)


@pytest.fixture
def suspended(ledger: Ledger) -> Suspended:
    return Suspended(ledger)


async def test_a_tick_that_two_coordinators_submit_since_one_was_suspended_is_one_task(
    suspended: Suspended, other: Process
) -> None:
    await other.schedules.create(a_schedule())
    looking = asyncio.create_task(suspended.at(FIRST))
    await suspended.stopped.wait()
    assert await other.at(FIRST + LEASE + SECOND) == [run(FIRST)]
    assert await other.at(FIRST + MINUTE) == [run(FIRST + MINUTE)]
    left = await other.schedules.get("s")
    suspended.wakes.set()
    assert await looking == [run(FIRST)]
    assert await other.schedules.get("s") == left
    assert left.last_task_id == run(FIRST + MINUTE)


async def test_who_was_suspended_moves_no_schedule_that_was_edited_meanwhile(
    suspended: Suspended, other: Process
) -> None:
    await other.schedules.create(a_schedule())
    looking = asyncio.create_task(suspended.at(FIRST))
    await suspended.stopped.wait()
    other.time = FIRST + LEASE + SECOND
    assert (await other.schedules.edit("s", ScheduleEdit(cron=HOURLY))).next_at == FIRST
    suspended.wakes.set()
    assert await looking == [run(FIRST)]
    assert (await other.schedules.get("s")).last_task_id == run(FIRST)
    assert await other.at(FIRST + LEASE + SECOND) == [run(FIRST)]
    assert other.repeated == [True]
    assert (await other.schedules.get("s")).next_at == FIRST.replace(minute=0) + HOUR


async def test_a_schedule_that_was_made_anew_tells_of_no_run_of_the_one_before(
    suspended: Suspended, other: Process
) -> None:
    await other.schedules.create(a_schedule())
    looking = asyncio.create_task(suspended.at(FIRST))
    await suspended.stopped.wait()
    await other.schedules.delete("s")
    anew = a_schedule(created_at=START + SECOND)
    made = await other.schedules.create(anew)
    suspended.wakes.set()
    assert await looking == [run(FIRST)]
    assert await other.schedules.get("s") == made
