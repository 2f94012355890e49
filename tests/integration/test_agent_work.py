"""Agents on a real broker with no coordinator: what they do with a task, and what they tell of it."""

from __future__ import annotations

import asyncio
import itertools
import random
import threading
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

import pytest

from consumers import Agent, Discard, RetryLater, Task
from consumers._fetching.fetch_loop import FetchLoop
from consumers.agent_timings import AgentTimings
from consumers.running_agent import RunningAgent
from coordinator.broker.channel import Delivery, Depth
from coordinator.broker.connection import Connection
from coordinator.broker.connection_timings import ConnectionTimings
from coordinator.broker.publisher import Publisher
from coordinator.errors import BrokerRefused, PublishRefused, RegistrationRefused
from coordinator.protocol.message import Message
from coordinator.protocol.messages.agent_commands import (
    EVERY_AGENT,
    CancelTask,
    Command,
    ServeSource,
    ServeSources,
    agent_key,
    encode_command,
)
from coordinator.protocol.messages.events import (
    AgentHeartbeat,
    AgentStopped,
    TaskCompleted,
    TaskFailed,
    TaskProgressed,
    TaskStarted,
)
from coordinator.protocol.messages.registration import (
    CONTROL_QUEUE,
    REGISTER,
    RegisterReply,
    RegisterRequest,
    SourceOffer,
    reply_allowed,
    sources_hash,
)
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.topology import CONTROL, REQUESTS, TASKS
from tests.chaos.proxy import Proxy
from tests.support.broker import Broker
from tests.support.field import Field, any_lane, lane
from tests.support.waiting import eventually

NORMAL = any_lane("normal")
CLOSE_BEATS = AgentTimings(heartbeat_spacing=timedelta(seconds=0.02))


@pytest.fixture
async def field(broker: Broker, tmp_path: Path) -> AsyncIterator[Field]:
    async with Field(broker.url, tmp_path) as field:
        await field.open(NORMAL)
        yield field


async def test_a_task_is_started_done_told_and_gone(field: Field) -> None:
    agent = field.agent("worker-1", slots=2)

    @agent.task("sum")
    async def add(task: Task) -> dict[str, int]:
        return {"sum": sum(task.data["numbers"])}

    async with agent.running() as life:
        task_id = await field.submit(NORMAL, task_type="sum", numbers=[1, 2, 3])
        await field.all_ended([task_id])
    told = [e.data for e in field.events if e.type.startswith("task.")]
    started, completed = told
    assert isinstance(started, TaskStarted)
    assert isinstance(completed, TaskCompleted)
    assert (started.task_id, started.agent_id) == (task_id, "worker-1")
    assert started.instance == life.instance
    assert completed.result == {"sum": 6}
    assert completed.task_token == "token"
    assert completed.duration_seconds is not None
    await eventually(lambda: field.heard(AgentStopped))
    assert await field.depth(NORMAL) == 0


async def test_every_way_to_fail_is_told(field: Field) -> None:
    agent = field.agent("worker-1", slots=4)

    @agent.task("raise")
    def wrong(task: Task) -> None:
        raise LookupError("nothing there")

    @agent.task("later")
    async def later(task: Task) -> None:
        raise RetryLater("not yet", after=30)

    @agent.task("never")
    async def never(task: Task) -> None:
        raise Discard("no use")

    @agent.task("odd")
    async def odd(task: Task) -> object:
        return object()

    types = ["raise", "later", "never", "odd"]
    async with agent.running():
        ids = [await field.submit(NORMAL, task_type=task_type) for task_type in types]
        await field.all_ended(ids)
    failed = {event.task_id: event for event in field.heard(TaskFailed)}
    seen = [(failed[i].error.type, failed[i].retryable, failed[i].retry_after_seconds) for i in ids]
    assert seen == [
        ("LookupError", True, None),
        ("RetryLater", True, 30.0),
        ("Discard", False, None),
        ("ResultNotJson", False, None),
    ]


async def test_a_blocking_function_does_not_hold_up_the_heartbeat(
    field: Field,
) -> None:
    release = threading.Event()
    agent = field.agent("worker-1")
    agent.configure(timings=CLOSE_BEATS)

    @agent.default
    def block(task: Task) -> None:
        task.progress(0.25, "blocked")
        release.wait(60)

    async with agent.running():
        task_id = await field.submit(NORMAL)
        await eventually(lambda: field.heard(TaskProgressed))
        await eventually(
            lambda: [
                beat
                for beat in field.heard(AgentHeartbeat)
                if [(r.task_id, r.fraction, r.message) for r in beat.running]
                == [(task_id, 0.25, "blocked")]
                and beat.status == "active"
            ]
        )
        release.set()
        await field.all_ended([task_id])
    assert [(p.fraction, p.message) for p in field.heard(TaskProgressed)] == [(0.25, "blocked")]


async def test_progress_is_thinned_out_and_the_last_is_told(field: Field) -> None:
    agent = field.agent("worker-1")

    @agent.default
    async def chatty(task: Task) -> None:
        for step in range(200):
            await task.progress(step / 200)
        task.progress(1.0, "done")

    async with agent.running():
        await field.all_ended([await field.submit(NORMAL)])
    told = field.heard(TaskProgressed)
    assert len(told) <= 3
    assert told[-1].message == "done"
    assert [e.type for e in field.events if e.type.startswith("task.")][-1] == "task.completed"


async def test_what_is_not_a_task_is_given_up_and_harms_nobody(
    field: Field, broker: Broker
) -> None:
    agent = field.agent("worker-1")
    agent.default(lambda task: "done")
    async with agent.running(), Connection(broker.url, name="stranger") as connection:
        async with Publisher(connection) as publisher:
            await publisher.ready()
            garbage = Message(body=b"\xff not a task")
            await publisher.publish(garbage, exchange=TASKS, key=NORMAL.key)
        await field.all_ended([await field.submit(NORMAL)])
        await eventually(lambda: field.bad)  # dead-lettered to the events, where it is parked
    assert await field.depth(NORMAL) == 0


async def test_a_task_past_its_deadline_is_not_started(field: Field) -> None:
    agent = field.agent("worker-1")
    agent.default(lambda task: "done")
    late = field.message(NORMAL).model_copy(
        update={"expires_at": datetime.now(UTC) - timedelta(seconds=1)}
    )
    async with agent.running():
        await field.send(NORMAL, late)
        after = await field.submit(NORMAL)
        await field.all_ended([after])
        await eventually(lambda: any(e.type == "task.dead-lettered" for e in field.events))
    assert field.started() == [after]


# --- commands ---------------------------------------------------------------------------------


async def command(broker: Broker, command: Command, key: str) -> None:
    """Tell agents something as a coordinator does; `PublishRefused` where none hears it."""
    async with (
        Connection(broker.url, name="a coordinator") as connection,
        Publisher(connection) as publisher,
    ):
        await publisher.ready()
        await publisher.publish(encode_command(command), exchange=CONTROL, key=key, mandatory=True)


async def test_a_cancelled_task_stops_and_leaves_no_outcome(field: Field, broker: Broker) -> None:
    stopped: list[str] = []
    agent = field.agent("worker-1")

    @agent.task("forever")
    async def forever(task: Task) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            stopped.append(task.id)

    @agent.default
    async def quick(task: Task) -> str:
        return "done"

    async with agent.running():
        task_id = await field.submit(NORMAL, task_type="forever")
        await eventually(lambda: field.started() == [task_id])
        await command(broker, CancelTask(task_id=task_id, generation=2), agent_key("worker-1"))
        await command(broker, CancelTask(task_id=task_id), agent_key("worker-1"))
        await eventually(lambda: stopped == [task_id])
        await field.all_ended([await field.submit(NORMAL)])  # the slot is free again
    assert task_id not in field.ended()
    assert await field.depth(NORMAL) == 0


async def test_a_new_queue_is_served_once_it_is_announced(field: Field, broker: Broker) -> None:
    agent = field.agent("worker-1", capabilities=["gpu"])
    agent.default(lambda task: None)
    gpu, fpga = lane("gpu"), lane("fpga")
    async with agent.running():
        await field.open(gpu, fpga)
        ids = [await field.submit(gpu), await field.submit(fpga)]
        await eventually(lambda: field.heard(AgentHeartbeat))
        for source, capability in ((gpu, "gpu"), (fpga, "fpga")):
            announced = ServeSource(
                lane=source.lane,
                priority=source.priority,
                requirements={"capabilities": [capability]},
            )
            await command(broker, announced, EVERY_AGENT)
        await field.all_ended(ids[:1])
        served = sources_hash([NORMAL, gpu])
        await eventually(lambda: field.tells(sources_hash=served))
        await command(broker, ServeSources(sources=[SourceOffer.of(fpga)]), agent_key("worker-1"))
        await field.all_ended(ids)


async def test_a_deleted_queue_is_missed_and_served_again_when_announced(
    field: Field, broker: Broker
) -> None:
    other = any_lane("low")
    await field.open(other)
    agent = field.agent("worker-1")
    agent.default(lambda task: None)
    async with agent.running():
        await field.all_ended([await field.submit(NORMAL)])
        await broker.delete_queue(NORMAL.queue)
        await eventually(lambda: field.tells(sources_hash=sources_hash([other])))
        await field.all_ended([await field.submit(other)])  # the others are not affected
        await field.open(NORMAL)
        task_id = await field.submit(NORMAL)
        await command(broker, ServeSource(lane="any", priority=NORMAL.priority), EVERY_AGENT)
        await field.all_ended([task_id])


async def test_a_queue_that_is_deleted_and_declared_at_once_is_served_when_announced(
    field: Field, broker: Broker
) -> None:
    """RabbitMQ 3.10 moves the agent's consumer to the new queue, and lets nothing through.

    4.3 now and then ends the connection of who consumes while the queue is made anew ("failed
    consuming from quorum queue"): that agent hears nothing meanwhile, and asks when it is back.
    """
    agent = field.agent("worker-1", slots=2)
    agent.default(lambda task: None)
    async with agent.running():
        for _ in range(3):
            await field.all_ended([await field.submit(NORMAL)])

            async def at_the_door() -> bool:
                return await broker.consumers(NORMAL.queue) > 0

            await eventually(at_the_door)
            await broker.delete_queue(NORMAL.queue)
            await field.open(NORMAL)
            task_id = await field.submit(NORMAL)

            async def announced() -> bool:
                serve = ServeSource(lane="any", priority=NORMAL.priority)
                try:
                    await command(broker, serve, EVERY_AGENT)
                except PublishRefused:
                    return False
                return True

            await eventually(announced)
            await field.all_ended([task_id])


# --- registration -----------------------------------------------------------------------------


async def answer_registrations(
    url: str, reply: RegisterReply, seen: list[Any], *, first: Command | None = None
) -> None:
    """A coordinator as far as registration goes, which tells all agents something ``first``."""
    async with Connection(url, name="a coordinator") as connection, Publisher(connection) as back:
        link = await connection.opened()
        channel = await link.channel()
        await back.ready()
        while True:
            request = await channel.get(REQUESTS)
            if request is None:
                await asyncio.sleep(0.01)
                continue
            message = request.message
            if message.type == CONTROL_QUEUE:  # the field opens it
                await request.ack()
                continue
            asked = RegisterRequest.model_validate_json(message.body)
            seen.append((message.type, asked, reply_allowed(asked.agent_id, message.reply_to)))
            if first is not None:
                await back.publish(encode_command(first), exchange=CONTROL, key=EVERY_AGENT)
            await back.publish(
                Message(
                    body=reply.model_dump_json().encode(), correlation_id=message.correlation_id
                ),
                exchange="",
                key=message.reply_to or "",
            )
            await request.ack()


async def test_an_agent_registers_over_amqp_and_remembers_the_answer(field: Field) -> None:
    fresh = Agent(
        "worker-9",
        agent_type="inference",
        capabilities=["llm"],
        slots=3,
        tags=["lab"],
        amqp_url=field.url,
        cache_dir=field.cache_dir,
    )
    fresh.default(lambda task: "done")
    seen: list[Any] = []
    reply = RegisterReply(sources=[SourceOffer.of(NORMAL)], heartbeat_seconds=5)
    coordinator = asyncio.create_task(answer_registrations(field.url, reply, seen))
    async with fresh.running() as life:
        await life.registered()
        await field.all_ended([await field.submit(NORMAL)])
    coordinator.cancel()
    await asyncio.wait([coordinator])
    (kind, asked, allowed), *_ = seen
    assert (kind, allowed) == (REGISTER, True)
    assert (asked.agent_id, asked.agent_type, asked.slots) == ("worker-9", "inference", 3)
    assert (asked.capabilities, asked.tags, asked.instance) == (["llm"], ["lab"], life.instance)

    async with fresh.running():  # no coordinator any more
        await field.all_ended([await field.submit(NORMAL)])


async def test_a_queue_that_was_opened_while_the_agent_registered_is_served(field: Field) -> None:
    """The reply was made without it, and comes after the word of its opening."""
    await field.open(NORMAL)
    fresh = Agent("worker-9", amqp_url=field.url, cache_dir=field.cache_dir)
    fresh.default(lambda task: "done")
    reply = RegisterReply(sources=[], heartbeat_seconds=5)
    opened = ServeSource(lane=NORMAL.lane, priority=NORMAL.priority, requirements={})
    coordinator = asyncio.create_task(answer_registrations(field.url, reply, [], first=opened))
    async with fresh.running() as life:
        await life.registered()
        await field.all_ended([await field.submit(NORMAL)])
    coordinator.cancel()
    await asyncio.wait([coordinator])


async def test_a_refused_registration_ends_the_agent_with_the_sentence(field: Field) -> None:
    agent = field.agent("worker-1", agent_type="plumber")
    agent.default(lambda task: None)
    coordinator = asyncio.create_task(
        answer_registrations(field.url, RegisterReply(error="agent_type must be one of …"), [])
    )
    with pytest.raises(RegistrationRefused, match="agent_type must be one of"):
        async with agent.running() as life:
            await life.told_to_stop()
    coordinator.cancel()
    await asyncio.wait([coordinator])


async def test_a_wrong_password_is_told_at_once(broker: Broker, tmp_path: Path) -> None:
    head, _, tail = broker.url.rpartition("@")
    wrong = f"amqp://nobody:nothing@{tail}"
    assert head != wrong
    agent = Agent("a", amqp_url=wrong, cache_dir=tmp_path)
    agent.default(lambda task: None)
    with pytest.raises(BrokerRefused):
        async with agent.running():
            pass


# --- what operators see -----------------------------------------------------------------------


async def test_connections_and_consumers_are_named_after_the_agent(
    field: Field, broker: Broker
) -> None:
    agent = field.agent("hermes agent")
    agent.default(lambda task: None)

    async def named() -> bool:
        names = await broker.connections()
        return {"agent hermes agent", "agent hermes agent events"} <= set(names)

    async def seated() -> bool:
        found = await broker.management.get("consumers", broker.vhost)
        tags = [one["consumer_tag"] for one in found if one["queue"]["name"] == NORMAL.queue]
        return len(tags) == 1 and tags[0].startswith("hermes agent.door.")

    async with agent.running():
        await eventually(named, timeout=60)
        await eventually(seated, timeout=60)


async def test_an_agent_with_slots_to_spare_sits_down_though_tasks_keep_coming(
    field: Field,
) -> None:
    agent = field.agent("worker-1", slots=8)
    started = asyncio.Event()

    @agent.default
    async def note(task: Task) -> None:
        started.set()

    pushed: deque[bool] = deque(maxlen=300)
    await field.submit(NORMAL)  # so that it begins standing
    async with agent.running() as life, asyncio.timeout(120):
        await started.wait()
        while pushed.count(True) < 200:
            before = arrived_by_push(life)
            started.clear()
            await field.submit(NORMAL)
            await started.wait()
            pushed.append(arrived_by_push(life) > before)


def arrived_by_push(life: RunningAgent) -> int:
    """The tasks that the agent did not ask for."""
    assert life._health.fetching is not None
    return life._health.fetching._push.arrived


class OneWaits:
    """Tells the depths of queues, and of one that is consumed that a task waits there; counts how often."""

    def __init__(self, fetching: FetchLoop) -> None:
        self._depths = fetching._probe._depths
        self._seats = fetching._push._tags
        self.looks: Counter[str] = Counter()
        """For each consumer, by its tag."""

    async def look(self, queues: Iterable[str]) -> Mapping[str, Depth | None]:
        depths = await self._depths.look(queues)
        found = depths.get(NORMAL.queue)
        if not self._seats or found is None:
            return depths
        self.looks.update(self._seats.keys())
        return {**depths, NORMAL.queue: replace(found, ready=1)}

    def was_kept_and_left(self) -> bool:
        """Whether a consumer outlived the peek and the probe that had found the task, and ended then."""
        return any(often > 2 for tag, often in self.looks.items() if tag not in self._seats)


async def test_an_agent_keeps_its_seat_while_what_waits_is_on_its_way_and_no_longer(
    field: Field,
) -> None:
    agent = field.agent("worker-1", slots=8)
    agent.default(lambda task: None)
    async with agent.running() as life:
        fetching = await eventually(lambda: life._health.fetching)
        depths = OneWaits(fetching)
        fetching._probe._depths = cast("Any", depths)
        await eventually(depths.was_kept_and_left, timeout=60)


async def test_a_free_slot_takes_what_a_full_seat_does_not_bring(
    field: Field, broker: Broker
) -> None:
    await field.open(any_lane("urgent"), any_lane("high"), any_lane("low"))
    release = asyncio.Event()
    agent = field.agent("worker-1", slots=4)  # so that each of four seats has a window of one
    agent.configure(timings=AgentTimings(push_expected_within=timedelta(hours=1)))

    @agent.default
    async def hold(task: Task) -> None:
        await release.wait()

    async with agent.running():
        await eventually(lambda: seated(field, broker), timeout=60)
        ids = {await field.submit(NORMAL) for _ in range(4)}
        await eventually(lambda: set(field.started()) == ids, timeout=60)
        release.set()
        await field.all_ended(ids)


async def seated(field: Field, broker: Broker) -> bool:
    """Whether somebody sits at each of the queues."""
    found = await broker.management.get("consumers", broker.vhost)
    doors = {one["queue"]["name"] for one in found if ".door." in one["consumer_tag"]}
    return doors == {source.queue for source in field.sources}


# --- stopping ---------------------------------------------------------------------------------


async def test_draining_finishes_what_runs_and_takes_nothing_more(field: Field) -> None:
    release = asyncio.Event()
    agent = field.agent("worker-1")

    @agent.default
    async def hold(task: Task) -> str:
        await release.wait()
        return "done"

    async with agent.running() as life:
        first, second = [await field.submit(NORMAL) for _ in range(2)]
        await eventually(lambda: field.started() == [first])
        life.drain()
        await eventually(lambda: field.tells(status="draining"))
        release.set()
    await eventually(lambda: field.heard(AgentStopped))
    assert field.ended() == {first}
    assert field.started() == [first]
    await eventually(lambda: field.waits(NORMAL, 1))
    assert second not in field.ended()


async def test_what_arrives_while_draining_is_for_others(field: Field) -> None:
    tasks = 20
    agent = field.agent("worker-1", slots=4)
    lives = [agent.running()]

    @agent.default
    async def last(task: Task) -> None:
        lives[0].drain()  # while the loop is busy taking

    async with lives[0]:
        await field.submit_many(NORMAL, tasks)
        await eventually(field.ended)
    await eventually(lambda: field.heard(AgentStopped))
    await eventually(lambda: field.waits(NORMAL, tasks - len(field.ended())))
    assert len(field.started()) == len(field.ended()) <= 4


@pytest.mark.parametrize("starts", [1, 200], ids=["asked-for", "pushed"])
async def test_what_a_draining_agent_gives_back_is_given_back_once(
    field: Field, starts: int
) -> None:
    agent = field.agent("worker-1", slots=16)
    lives = [agent.running()]
    started = itertools.count(1)

    @agent.default
    async def note(task: Task) -> None:
        if next(started) == starts:
            lives[0].drain()

    tasks = set(await field.submit_many(NORMAL, 1000))
    async with lives[0], asyncio.timeout(60):
        await lives[0].told_to_stop()
    await eventually(lambda: field.heard(AgentStopped))
    await eventually(lambda: field.waits(NORMAL, len(tasks - field.ended())))
    left = await field.take_all(NORMAL)
    assert len(left) == len(tasks - field.ended()) == len(tasks) - len(field.started())
    # Each return counts, and a task that was returned too often ends as one that kills agents.
    assert max(delivery.delivery_count for delivery in left) <= 1


async def test_what_is_pushed_late_does_not_keep_a_draining_agent(
    field: Field, tmp_path: Path
) -> None:
    arrived: list[Delivery] = []
    release = asyncio.Event()
    address = urlsplit(field.url)
    login = address.netloc.rpartition("@")[0]
    async with Proxy(lambda: [address.port or 0], rng=random.Random(1)) as proxy:
        far = Field(
            urlunsplit(address._replace(netloc=f"{login}@127.0.0.1:{proxy.port}")), tmp_path
        )
        agent = far.agent("worker-1", slots=2, serves=[NORMAL])

        @agent.default
        async def hold(task: Task) -> None:
            await release.wait()

        quick = ConnectionTimings(answer_timeout=0.5)
        agent.configure(
            timings=AgentTimings(flush_timeout=timedelta(seconds=0.2), connection=quick)
        )
        life = agent.running()
        life._executor.on_delivery = arrived.append

        async def live() -> None:
            async with life:
                await life.told_to_stop()

        living = asyncio.create_task(live())
        await eventually(lambda: field.consumers(NORMAL), timeout=60)
        first = await field.submit(NORMAL)
        await eventually(lambda: field.started() == [first])
        for connection in proxy.connections:
            connection.stall()
        life.drain()
        late = await field.submit(NORMAL)
        taking = life._fetching_ended
        assert taking is not None
        await eventually(taking.done)  # its cancel was not answered
        for connection in proxy.connections:
            connection.recover()
        await eventually(lambda: len(arrived) == 2)
        release.set()
        async with asyncio.timeout(60):
            await living
        await field.all_ended([first])
    assert field.ended() == {first}
    left: set[str] = set()

    async def late_is_back() -> bool:
        for one in await field.take_all(NORMAL):
            left.add(TaskMessage.from_message(one.message).task_id)
        return late in left  # and the first one as well, which its channel was lost under

    await eventually(late_is_back)


async def test_hurrying_gives_tasks_back_once(field: Field, broker: Broker) -> None:
    await field.open(any_lane("urgent"), any_lane("high"), any_lane("low"))
    agent = field.agent("worker-1", slots=8)

    @agent.default
    async def hold(task: Task) -> None:
        await asyncio.sleep(3600)

    async with agent.running() as life:
        await eventually(
            lambda: seated(field, broker), timeout=60
        )  # what is given back comes again
        task_ids = {await field.submit(source) for source in field.sources}
        await eventually(lambda: set(field.started()) == task_ids)
        life.hurry()
    for source in field.sources:
        await eventually(partial(field.waits, source, 1))
        (left,) = await field.take_all(source)
        assert left.delivery_count <= 1
        await left.give_back()
    assert field.ended() == set()

    other = field.agent("worker-2", slots=8)
    other.default(lambda task: "done")
    async with other.running():
        await field.all_ended(task_ids)


async def test_an_agent_whose_taking_side_is_dead_does_not_look_healthy(
    field: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = field.agent("worker-1")
    agent.configure(timings=CLOSE_BEATS)
    agent.default(lambda task: "done")
    async with agent.running() as life:
        await eventually(lambda: [b for b in field.heard(AgentHeartbeat) if b.status == "active"])
        monkeypatch.setattr(life._connection, "_link", None)
        assert life._state().status == "degraded"
