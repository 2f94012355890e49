"""Submitting to a real broker: lanes open once, and a confirmed task is where it belongs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from coordinator.broker.ports import PublishesMessages
from coordinator.domain.task_queues import TaskQueues, counts
from coordinator.errors import BrokerUnavailable, NotOpened, OutcomeUnknown, TooManyLanes
from coordinator.protocol.lanes import lane_name
from coordinator.protocol.message import Message
from coordinator.protocol.messages.agent_commands import ServeSource, decode_command
from coordinator.protocol.messages.events import SourceOpened, TaskSubmitted
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.topology import CONTROL, BindingSpec, QueueSpec, Topology
from coordinator.submission.queue_opener import QueueOpener
from coordinator.submission.task_maker import Accepted, SubmitTask
from coordinator.submission.task_options import TaskOptions
from tests.support.broker import Broker, OwnBroker
from tests.support.submission import SubmittingSide, submitting_side
from tests.support.waiting import eventually

GPU = Requirements(capabilities=("gpu",))
ANY = TaskQueue("any", Priority.NORMAL)


@pytest.fixture
async def side(broker: Broker) -> AsyncIterator[SubmittingSide]:
    async with submitting_side(broker.url, name=broker.name) as side:
        await side.restore()
        yield side


async def test_a_thousand_tasks_in_one_batch_are_all_on_their_queues_in_order(
    side: SubmittingSide,
) -> None:
    wishes = [
        SubmitTask(task_data={"n": n}, requirements=GPU if n % 2 else Requirements())
        for n in range(1000)
    ]
    verdicts = await side.batches.submit_all(wishes)

    ids = [verdict.task_id for verdict in verdicts if isinstance(verdict, Accepted)]
    odd = [message.correlation_id for _, message in await side.take_all("tasks.cap:gpu.normal")]
    even = [message.correlation_id for _, message in await side.take_all(ANY.queue)]
    assert (even, odd) == (ids[::2], ids[1::2])


async def test_a_scheduled_task_is_in_the_log_alone_and_its_lane_is_open(
    side: SubmittingSide,
) -> None:
    task_id = await side.submit(
        requirements=GPU, options=TaskOptions(delay_seconds=60, expires_in_seconds=90)
    )

    assert await side.waiting(TaskQueue("cap:gpu", Priority.NORMAL)) == 0
    _, submitted = await side.take_log()
    assert isinstance(submitted.data, TaskSubmitted)
    assert submitted.data.task == side.tasks[task_id]
    assert submitted.data.task.not_before is not None


async def test_the_broker_takes_a_task_with_any_deadline_and_drops_none_before_it(
    side: SubmittingSide,
) -> None:
    for days in (0.0001, 40, 60, 700):
        await side.submit(options=TaskOptions(expires_in_seconds=days * 86400))
    assert await side.waiting(ANY) == 4
    kept = [message.expiration for _, message in await side.take_all(ANY.queue)]
    assert [None if ttl is None else ttl.days for ttl in kept] == [1, 41, None, None]


def counted(book: TaskQueues) -> int:
    """The lanes that count against the cap."""
    return sum(map(counts, book.by_lane().values()))


async def test_a_task_for_one_agent_goes_to_a_queue_of_that_agent(side: SubmittingSide) -> None:
    wanted = Requirements(agent_id="hermes.1")
    await side.submit(requirements=wanted)
    assert await side.waiting(TaskQueue(lane_name(wanted), Priority.NORMAL)) == 1
    assert counted(side.book) == 0


async def test_a_submitted_task_is_on_its_queue_and_in_the_log(side: SubmittingSide) -> None:
    task_id = await side.submit(priority=Priority.HIGH, requirements=GPU)

    [(key, message)] = await side.take_all("tasks.cap:gpu.high")
    assert key == "cap:gpu.high"
    assert TaskMessage.from_message(message) == side.tasks[task_id]
    opened, submitted = await side.take_log()
    assert isinstance(opened.data, SourceOpened)
    assert (opened.data.lane, opened.data.priority) == ("cap:gpu", Priority.HIGH)
    assert opened.data.requirements == {"capabilities": ["gpu"]}
    assert isinstance(submitted.data, TaskSubmitted)
    assert submitted.data.task == side.tasks[task_id]


async def test_sources_opened_by_many_requests_at_once_are_opened_and_announced_once(
    side: SubmittingSide,
) -> None:
    heard = await listen_to_commands(side)
    await asyncio.gather(
        *(side.submit(priority=Priority.LOW, requirements=GPU) for _ in range(20)),
        *(side.submit() for _ in range(20)),
    )

    events = await side.take_log()
    opened = [event.data for event in events if isinstance(event.data, SourceOpened)]
    assert {(data.lane, data.priority) for data in opened} == {
        ("cap:gpu", Priority.LOW),
        ("any", Priority.NORMAL),
    }
    assert len(opened) == 2
    assert await side.waiting(TaskQueue("cap:gpu", Priority.LOW)) == 20
    assert await side.waiting(ANY) == 20
    await eventually(lambda: len(heard) == 2)
    assert {(command.lane, command.priority) for command in heard} == {
        (data.lane, data.priority) for data in opened
    }


async def listen_to_commands(side: SubmittingSide) -> list[ServeSource]:
    """The commands to every agent, as they come."""
    heard: list[ServeSource] = []

    def hear(command: object) -> None:
        assert isinstance(command, ServeSource)
        heard.append(command)

    link = await side.reading.opened()
    channel = await link.channel()
    queue = "a-test-listens"
    await channel.declare(
        Topology(
            queues=(QueueSpec(name=queue, exclusive=True),),
            bindings=(BindingSpec(exchange=CONTROL, target=queue, key="all"),),
        )
    )
    await channel.consume(
        queue, lambda delivery: hear(decode_command(delivery.message)), tag="test", no_ack=True
    )
    return heard


async def test_beyond_the_cap_no_lane_is_opened_but_known_and_exempt_ones_go_on(
    broker: Broker,
) -> None:
    async with submitting_side(broker.url, name=broker.name, max_lanes=2) as side:
        await side.restore()
        await side.submit(requirements=Requirements(capabilities=("a",)))
        await side.submit(requirements=Requirements(capabilities=("b",)))

        with pytest.raises(
            TooManyLanes, match="2 different combinations of task type and requirements"
        ):
            await side.submit(requirements=Requirements(capabilities=("c",)))

        await side.submit(requirements=Requirements(capabilities=("a",)), priority=Priority.LOW)
        await side.submit()
        await side.submit(requirements=Requirements(agent_id="hermes-agent", capabilities=("c",)))
        assert counted(side.book) == 2


async def test_lanes_asked_for_at_once_do_not_slip_past_the_cap(broker: Broker) -> None:
    async with submitting_side(broker.url, name=broker.name, max_lanes=3) as side:
        await side.restore()
        outcomes = await asyncio.gather(
            *(side.submit(requirements=Requirements(capabilities=(f"c{n}",))) for n in range(10)),
            return_exceptions=True,
        )
        assert sum(isinstance(outcome, str) for outcome in outcomes) == 3
        assert sum(isinstance(outcome, TooManyLanes) for outcome in outcomes) == 7
        assert counted(side.book) == 3


async def test_before_the_queues_are_restored_nothing_is_sent(broker: Broker) -> None:
    async with submitting_side(broker.url, name=broker.name) as side:
        await side.publisher.ready()
        with pytest.raises(BrokerUnavailable, match="still being opened"):
            await side.submit()
        await side.restore()
        await side.submit()


async def test_a_queue_of_another_kind_in_the_way_holds_up_no_other(
    side: SubmittingSide, broker: Broker
) -> None:
    await side.submit(requirements=GPU)
    await side.submit()
    blocked = TaskQueue("cap:gpu", Priority.NORMAL)
    await broker.delete_queue(blocked.queue)
    await broker.management.put(
        "queues", broker.vhost, blocked.queue, body={"durable": True, "arguments": {}}
    )
    await broker.delete_queue(ANY.queue)

    await side.restore()
    assert side.opener.ready
    assert await side.waiting(ANY) == 0
    await side.submit()
    assert await side.waiting(ANY) == 1


class Holding:
    """A publisher that sends the commands to agents when it is told what to answer."""

    def __init__(self, publisher: PublishesMessages) -> None:
        self._publisher = publisher
        self.begun = asyncio.Event()
        self.answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def publish(self, message: Message, *, exchange: str, key: str, **how: Any) -> None:
        if exchange == CONTROL:
            self.begun.set()
            await asyncio.shield(self.answer)
        await self._publisher.publish(message, exchange=exchange, key=key, **how)


@pytest.mark.parametrize("confirmed", [True, False])
async def test_a_queue_is_offered_while_it_is_announced_and_ready_once_it_is(
    side: SubmittingSide, confirmed: bool
) -> None:
    holding = Holding(side.publisher)
    opener = QueueOpener(book=side.book, publisher=holding)
    await opener.restore(await side.reading.opened_or_refused())
    first = asyncio.create_task(opener.ensure(ANY, Requirements()))
    await holding.begun.wait()
    assert ANY in side.book
    second = asyncio.create_task(opener.ensure(ANY, Requirements()))
    done, _ = await asyncio.wait([second], timeout=0)
    assert not done
    if confirmed:
        holding.answer.set_result(None)
        await asyncio.gather(first, second)
    else:
        holding.answer.set_exception(OutcomeUnknown)
        for waiting in (first, second):
            with pytest.raises(BrokerUnavailable, match="did not confirm the opening"):
                await waiting
    assert (ANY in side.book) is confirmed


async def test_who_waits_for_another_that_opens_the_queue_is_told_that_it_was_interrupted(
    side: SubmittingSide,
) -> None:
    async with side.opener.kept_from_opening(ANY):
        opening = asyncio.create_task(side.opener.ensure(ANY, Requirements()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # the opening has begun, and waits
        side.opener.interrupted()
    with pytest.raises(NotOpened):
        await opening
    assert ANY not in side.book


@pytest.mark.slow
async def test_after_the_broker_was_away_submissions_go_on_by_themselves(
    own_broker: OwnBroker,
) -> None:
    async with submitting_side(own_broker.url, name=own_broker.name) as side:
        with side.running():
            await side.ready()
            await side.submit(requirements=GPU)

            await own_broker.stop()
            await eventually(lambda: not side.opener.ready and not side.publisher.available)
            with pytest.raises(BrokerUnavailable):
                await side.submit(requirements=GPU)

            await own_broker.start()
            await side.ready()
            await side.submit(requirements=GPU)
            await side.submit()
            assert await side.waiting(TaskQueue("cap:gpu", Priority.NORMAL)) == 2
            assert await side.waiting(ANY) == 1


async def test_a_broker_that_lost_everything_is_given_its_queues_again(
    side: SubmittingSide, broker: Broker
) -> None:
    await side.submit(requirements=GPU)
    for queue in await broker.queues():
        await broker.delete_queue(queue)
    await side.restore()
    await side.submit(requirements=GPU)
    assert await side.waiting(TaskQueue("cap:gpu", Priority.NORMAL)) == 1
