"""Running tasks that nobody runs are decided, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, cast

import pytest

from coordinator.broker.channel import Depth
from coordinator.broker.connection import Link
from coordinator.domain.task import State, Task
from coordinator.domain.transitions.effects import Rules
from coordinator.errors import LedgerBehind, OutcomeUnknown
from coordinator.protocol.message import Message
from coordinator.protocol.messages.events import (
    AgentHeartbeat,
    Event,
    HeldTask,
    RunningTask,
    TaskLost,
)
from coordinator.protocol.task_token import task_token
from coordinator.protocol.topology import EVENTS
from coordinator.recovery.lost_attempt_finder import LOOKS, LostAttemptFinder
from coordinator.registry.agents.heartbeat_witnesses import HeartbeatWitnesses
from coordinator.registry.agents.in_memory.named_tasks import BELIEVING, NamedTasks
from coordinator.registry.ledger.batch_folding import store
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables.task_rows import load
from coordinator.registry.upkeep.running_tasks import RunningTasks
from tests.support.decoding import decode
from tests.unit.domain.histories import START, at, completed, failed, started, submitted
from tests.unit.registry.fleet import Fleet, registered, removed

AFTER = timedelta(minutes=5)
LIMIT = timedelta(hours=1)
ROUND = AFTER.total_seconds() / LOOKS
BEAT = 10.0


class Queue:
    """A connection to a queue that holds so many messages."""

    def __init__(self) -> None:
        self.ready = 0
        self.hidden = False
        """Taking finds one although the look found none."""

    async def look(self, queues: Iterable[str]) -> Mapping[str, Depth | None]:
        return {name: Depth(self.ready, consumers=1) for name in queues}

    async def channel(self) -> Queue:
        return self

    async def get(self, queue: str) -> Queue | None:
        del queue
        return self if self.hidden else None

    async def give_back(self) -> None:
        pass

    async def close(self) -> None:
        pass


class World:
    """A coordinator that hears agents, over a ledger and one queue. `ada` and `bob` beat."""

    def __init__(
        self, ledger: Ledger, *, after: timedelta = AFTER, named: NamedTasks = BELIEVING
    ) -> None:
        self.ledger = ledger
        self.fleet = Fleet(named=named)
        self.queue = Queue()
        self.link: object = self.queue
        self.beating: dict[str, dict[str, Any]] = {}
        """What each agent tells with every heartbeat."""
        self.published: list[TaskLost] = []
        self.log: list[Event] = []
        self.behind = False
        self.unanswered = False
        self.lost_attempts = LostAttemptFinder(
            running=RunningTasks(ledger),
            agents=HeartbeatWitnesses(self.fleet),
            depths=self.queue,
            publisher=self,
            catch_up=self.catch_up,
            note=self.log.append,
            after=after,
            time_limit=LIMIT,
        )

    async def catch_up(self) -> None:
        if self.behind:
            raise LedgerBehind

    async def publish(
        self, message: Message, *, exchange: str, key: str, mandatory: bool = False
    ) -> None:
        assert (exchange, key, mandatory) == (EVENTS, "task.~coordinator.lost", False)
        if self.unanswered:
            raise OutcomeUnknown
        self.published += [
            one.data for one in decode(message, key) if isinstance(one.data, TaskLost)
        ]

    async def fold(self, *events: Event) -> None:
        """What came by now, and what this coordinator said."""
        waiting = [*events, *self.log]
        self.log.clear()
        for event in waiting:
            self.fleet.apply(event)
        await self.ledger.write(lambda connection: store(connection, waiting, Rules(now=START)))

    async def task(self, task_id: str = "t") -> Task:
        return (await self.ledger.read(lambda connection: load(connection, [task_id])))[task_id]

    def tells(self, agent_id: str, **more: Any) -> None:
        """From now on, with every heartbeat."""
        self.beating[agent_id] = more
        self.beat()

    def falls_silent(self, agent_id: str) -> None:
        del self.beating[agent_id]

    def beat(self) -> None:
        for agent_id, more in self.beating.items():
            data = AgentHeartbeat.model_validate({"agent_id": agent_id} | more)
            self.fleet.apply(Event(data=data))

    async def look(self) -> int:
        return await self.lost_attempts.look(cast("Link", self.link))

    async def goes_on(self, duration: timedelta) -> int:
        """Agents beat and rounds are held for so long; how many attempts were given up."""
        left, given_up = duration.total_seconds(), await self.look()
        while left > 0:
            for _ in range(int(ROUND / BEAT) + 1):
                self.fleet.pass_time(ROUND / (int(ROUND / BEAT) + 1))
                self.beat()
            given_up += await self.look()
            left -= ROUND
        return given_up


def naming(*task_ids: str) -> dict[str, Any]:
    return {"running": [RunningTask(task_id=one, started_at=START) for one in task_ids]}


LONG_ENOUGH = AFTER + 2 * timedelta(seconds=ROUND)


@pytest.fixture
async def world(ledger: Ledger) -> World:
    """`ada` started `t` and is alive; it names another task."""
    world = World(ledger)
    await world.fold(registered("ada"), registered("bob"), submitted(), started())
    world.tells("ada", **naming("other"))
    return world


# --- what is lost -----------------------------------------------------------------------------


async def test_what_its_agent_does_not_name_and_no_queue_holds_is_tried_again(
    world: World,
) -> None:
    assert await world.goes_on(LONG_ENOUGH) == 1
    (told,) = world.published
    assert (told.task_id, told.generation, told.attempt) == ("t", 1, 1)
    assert (told.started_by, told.started_at, told.reason) == ("ada", at(1), "not-named")
    assert told.message == (
        "For 300 s its agent 'ada' does not name it in its heartbeats, and it was not on its queue."
    )
    await world.fold()
    task = await world.task()
    assert (task.state, task.failed, (task.error or {})["type"]) == (
        State.WAITING,
        1,
        "AttemptLost",
    )
    assert await world.goes_on(LONG_ENOUGH) == 0, "it is decided"


async def test_an_agent_that_promises_to_name_all_that_it_has_need_not_have_named_any(
    world: World,
) -> None:
    world.fleet.apply(registered("ada", seconds=5, instance="another"))
    world.tells("ada", held=[])
    assert await world.goes_on(LONG_ENOUGH) == 1


async def test_an_agent_that_named_its_tasks_and_fell_silent_has_lost_what_no_queue_holds(
    world: World,
) -> None:
    world.tells("ada", **naming("t"))
    world.falls_silent("ada")
    assert await world.goes_on(AFTER) == 0, "its last word counts for as long"
    assert await world.goes_on(LONG_ENOUGH) == 1
    assert world.published[0].reason == "agent-gone"


@pytest.mark.parametrize("registers", [True, False])
async def test_an_agent_that_never_named_a_task_and_is_gone_has_as_long_as_an_attempt_may_take(
    ledger: Ledger, registers: bool
) -> None:
    world = World(ledger)
    await world.fold(*([registered("ada")] if registers else []), submitted(), started())
    assert await world.goes_on(AFTER + LIMIT) == 0
    assert await world.goes_on(LONG_ENOUGH) == 1


async def test_the_limit_is_the_tasks_own_where_it_has_one(ledger: Ledger) -> None:
    world = World(ledger)
    await world.fold(submitted(timeout_seconds=600), started())
    assert await world.goes_on(AFTER + timedelta(minutes=10)) == 0
    assert await world.goes_on(timedelta(minutes=5)) == 1


async def test_in_a_queue_that_is_never_empty_others_pass_it_on(world: World) -> None:
    world.queue.ready = 100
    lost = 0
    for number in range(LOOKS + 3):
        task_id = f"later-{number}"
        await world.fold(submitted(task_id, submitted_at=at(10 + number)))
        await world.fold(started("bob", task_id=task_id), completed("bob", task_id=task_id))
        lost += await world.goes_on(timedelta(seconds=ROUND))
    assert lost == 1


# --- what only looks so -----------------------------------------------------------------------


async def test_not_before_its_time(world: World) -> None:
    assert await world.goes_on(AFTER - timedelta(seconds=ROUND)) == 0


async def test_what_any_agent_names_is_left_alone(world: World) -> None:
    """Redelivered after a crash, say, and the start is not folded yet."""
    world.tells("bob", **naming("t"))
    assert await world.goes_on(2 * LONG_ENOUGH) == 0
    world.tells("bob", running=[], held=[HeldTask(task_id="t")])
    assert await world.goes_on(2 * LONG_ENOUGH) == 0
    world.tells("bob", running=[], held=[HeldTask(task_id="t", generation=2)])
    assert await world.goes_on(LONG_ENOUGH) == 1


async def test_a_living_agent_that_never_names_any_task_is_not_judged_by_that(
    ledger: Ledger,
) -> None:
    world = World(ledger)
    await world.fold(registered("ada"), submitted(), started())
    kinds: list[dict[str, Any]] = [{}, {"running": []}]
    for beats in kinds:
        world.tells("ada", **beats)
        assert await world.goes_on(2 * (AFTER + LIMIT)) == 0


async def test_a_heartbeat_over_http_between_others_hides_nothing(world: World) -> None:
    world.tells("ada", **naming("t"))
    world.tells("ada")
    assert await world.goes_on(2 * LONG_ENOUGH) == 0


async def test_two_processes_under_one_id_are_not_judged_by_either(world: World) -> None:
    given_up = 0
    for _ in range(int(2 * LONG_ENOUGH.total_seconds() / BEAT)):
        world.tells("ada", instance="first", sequence=1, **naming("t"))
        world.tells("ada", instance="second", sequence=1, **naming("other"))
        given_up += await world.look()
        world.fleet.pass_time(BEAT)
    assert given_up == 0


async def test_slow_heartbeats_are_waited_for(world: World) -> None:
    """Every three minutes: the one before the start does not name it, the one after does."""
    given_up = 0
    world.falls_silent("ada")
    given_up += await world.goes_on(timedelta(minutes=3))
    for _ in range(5):
        world.tells("ada", **naming("t"))
        world.falls_silent("ada")
        given_up += await world.goes_on(timedelta(minutes=3))
    assert given_up == 0


async def test_what_may_be_back_on_its_queue_is_left_alone(world: World) -> None:
    world.queue.ready = 1
    assert await world.goes_on(2 * LONG_ENOUGH) == 0
    world.queue.ready, world.queue.hidden = 0, True
    assert await world.goes_on(2 * LONG_ENOUGH) == 0


async def test_what_was_long_on_its_queue_and_was_taken_just_now_is_left_alone(
    world: World,
) -> None:
    """Whoever took it has not told yet."""
    world.queue.ready = 1
    assert await world.goes_on(2 * LONG_ENOUGH) == 0
    world.queue.ready = 0
    assert await world.look() == 0
    world.tells("bob", **naming("t"))
    assert await world.goes_on(2 * LONG_ENOUGH) == 0


async def test_what_came_back_to_its_queue_meanwhile_is_left_alone(world: World) -> None:
    await world.goes_on(AFTER - timedelta(seconds=ROUND))
    world.queue.ready = 1
    assert await world.goes_on(2 * LONG_ENOUGH) == 0


async def test_others_that_started_before_do_not_pass_it_on(world: World) -> None:
    await world.fold(submitted("later", submitted_at=at(10)), started("bob", task_id="later"))
    await world.fold(completed("bob", task_id="later"))
    world.queue.ready = 100
    assert await world.goes_on(2 * LONG_ENOUGH) == 0


async def test_a_retry_is_passed_on_only_by_what_came_after_its_own_message(world: World) -> None:
    """Its task was submitted long before the others, which are ahead of it on the queue."""
    others = [f"other-{number}" for number in range(2 * LOOKS)]
    await world.fold(*(submitted(one, submitted_at=at(9 + n)) for n, one in enumerate(others)))
    await world.fold(failed(), submitted(attempt=2), started(attempt=2))
    world.queue.ready = 100
    for one in others:
        await world.fold(started("bob", task_id=one), completed("bob", task_id=one))
        assert await world.goes_on(timedelta(seconds=ROUND)) == 0


async def test_who_starts_it_anew_has_all_the_time_again(world: World) -> None:
    assert await world.goes_on(AFTER - timedelta(seconds=ROUND)) == 0
    await world.fold(started(seconds=99))
    assert await world.goes_on(AFTER - timedelta(seconds=ROUND)) == 0
    assert await world.goes_on(LONG_ENOUGH) == 1
    assert world.published[0].started_at == at(99)


async def test_what_ended_meanwhile_is_left_alone(world: World) -> None:
    await world.goes_on(AFTER - timedelta(seconds=ROUND))
    await world.fold(completed())
    assert await world.goes_on(LONG_ENOUGH) == 0


async def test_while_the_ledger_is_behind_nothing_is_concluded_and_all_begins_again(
    world: World,
) -> None:
    await world.goes_on(AFTER - timedelta(seconds=ROUND))
    world.behind = True
    with pytest.raises(LedgerBehind):
        await world.look()
    world.behind = False
    assert await world.goes_on(AFTER - timedelta(seconds=ROUND)) == 0
    assert await world.goes_on(LONG_ENOUGH) == 1


async def test_with_a_new_link_to_the_broker_all_begins_again(world: World) -> None:
    """What was in hands may have been given back meanwhile."""
    await world.goes_on(AFTER - timedelta(seconds=ROUND))
    world.link = Queue()
    assert await world.goes_on(AFTER - timedelta(seconds=ROUND)) == 0
    assert await world.goes_on(LONG_ENOUGH) == 1


async def test_time_in_which_nobody_was_heard_does_not_count(world: World) -> None:
    assert await world.goes_on(timedelta(seconds=ROUND)) == 0
    world.fleet.stop_hearing()
    assert await world.goes_on(2 * LONG_ENOUGH) == 0
    world.fleet.start_hearing()
    assert await world.goes_on(LONG_ENOUGH) == 1


# --- who decides ------------------------------------------------------------------------------


async def test_another_coordinator_that_says_the_same_says_it_with_the_same_id(
    world: World, ledger: Ledger
) -> None:
    other = World(ledger)
    for one in (registered("ada"), registered("bob")):
        other.fleet.apply(one)
    other.tells("ada", **naming("other"))
    assert await world.goes_on(LONG_ENOUGH) == 1
    assert await other.goes_on(LONG_ENOUGH) == 1
    (first,), (second,) = world.log, other.log
    assert first.id == second.id
    await world.fold()
    await other.fold()
    assert (await world.task()).failures == 1


async def test_what_is_not_answered_is_said_again_later(world: World) -> None:
    world.unanswered = True
    with pytest.raises(OutcomeUnknown):
        await world.goes_on(LONG_ENOUGH)
    world.unanswered = False
    assert await world.goes_on(LONG_ENOUGH) == 1


async def test_an_agent_that_was_removed_is_silent(world: World) -> None:
    world.fleet.apply(removed("ada", seconds=9))
    world.falls_silent("ada")
    assert await world.goes_on(AFTER + LIMIT) == 0
    assert await world.goes_on(AFTER) == 1


async def test_every_attempt_that_is_lost_counts_until_none_is_left(world: World) -> None:
    for attempt in (1, 2, 3):
        assert await world.goes_on(LONG_ENOUGH) == 1
        await world.fold()
        await world.fold(submitted(attempt=attempt + 1), started(attempt=attempt + 1))
    assert (await world.task()).state is State.DEAD


async def test_a_failure_of_another_task_of_the_agent_changes_nothing(world: World) -> None:
    await world.fold(submitted("other"), started(task_id="other"), failed(task_id="other"))
    assert await world.goes_on(LONG_ENOUGH) == 1


# --- where tokens are asked for ---------------------------------------------------------------

SECRET = b"of the tests"


@pytest.fixture
async def strict(ledger: Ledger) -> World:
    """`ada` started `t` and is alive; it names another task. What is named counts by its token."""
    world = World(ledger, named=NamedTasks(SECRET))
    await world.fold(registered("ada"), registered("bob"), submitted(), started())
    world.tells("ada", **naming("other"))
    return world


def holding(attempt: int, token: str | None, task_id: str = "t") -> dict[str, Any]:
    return {"held": [HeldTask(task_id=task_id, attempt=attempt, task_token=token)]}


@pytest.mark.parametrize(
    "token",
    [None, "guessed", task_token(SECRET, "another", 1, 1)],
    ids=["none", "false", "another"],
)
async def test_whoever_names_a_task_of_anothers_does_not_keep_it_from_being_recovered(
    strict: World, token: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    strict.tells("bob", **holding(1, token))
    assert await strict.goes_on(LONG_ENOUGH) == 1
    told = [one for one in caplog.records if "names a task that another has started" in one.message]
    assert [(one.__dict__["agent_id"], one.__dict__["task_id"]) for one in told] == [("bob", "t")]


async def test_whoever_has_the_token_of_an_earlier_attempt_does_not_hold_up_a_later_one(
    strict: World,
) -> None:
    await strict.fold(failed(retry_after_seconds=0), submitted(attempt=2), started(attempt=2))
    strict.tells("bob", **holding(1, task_token(SECRET, "t", 1, 1)))
    assert await strict.goes_on(LONG_ENOUGH) == 1


async def test_who_was_given_the_task_and_who_has_started_it_keep_it(strict: World) -> None:
    strict.tells("bob", **holding(1, task_token(SECRET, "t", 1, 1)))  # it came back to its queue
    assert await strict.goes_on(LONG_ENOUGH) == 0
    strict.tells("bob", **naming("other"))
    strict.tells("ada", **naming("t"))  # an agent that gave its token with the start alone
    assert await strict.goes_on(LONG_ENOUGH) == 0
    strict.tells("ada", **naming("other"))
    assert await strict.goes_on(LONG_ENOUGH) == 1
