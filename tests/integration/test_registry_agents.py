"""Agents on a real broker: registered, heard, corrected, and the same to every coordinator."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from consumers import Agent, Task
from coordinator.broker.channel import Channel
from coordinator.errors import AgentNotFound
from coordinator.protocol.lanes import lane_name
from coordinator.protocol.message import Message
from coordinator.protocol.messages.agent_commands import (
    Command,
    DrainAgent,
    RegisterAgain,
    ServeSources,
    agent_key,
    decode_command,
)
from coordinator.protocol.messages.events import AgentHeartbeat, SourceOpened
from coordinator.protocol.messages.registration import (
    REGISTER,
    RegisterReply,
    RegisterRequest,
    SourceOffer,
    control_queue,
    sources_hash,
)
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.topology import (
    CONTROL,
    EVENTS,
    REQUESTS,
    BindingSpec,
    QueueSpec,
    Topology,
)
from coordinator.registry.agents.registration_answers import RegistrationTerms
from coordinator.registry.agents.silent_agent_removal import SilentAgentRemoval
from tests.support.broker import Broker
from tests.support.registering import SOURCE, RegisteringSide, registering_side
from tests.support.waiting import eventually

GPU = Requirements(capabilities=("gpu",))
OPEN = TaskQueue("any", Priority.NORMAL)
GPU_SOURCE = TaskQueue(lane_name(GPU), Priority.HIGH)


@pytest.fixture
def ledger_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.sqlite3'}"


@pytest.fixture
def terms() -> RegistrationTerms:
    return RegistrationTerms()


@pytest.fixture
async def side(
    broker: Broker, ledger_url: str, terms: RegistrationTerms
) -> AsyncIterator[RegisteringSide]:
    async with registering_side(
        broker.url, name=broker.name, ledger_url=ledger_url, terms=terms
    ) as side:
        side.start()
        await eventually(lambda: side.hearing)
        yield side


class Caller:
    """An agent's own control queue, without the agent."""

    def __init__(self, side: RegisteringSide, channel: Channel, agent_id: str) -> None:
        self.side = side
        self.channel = channel
        self.agent_id = agent_id
        self.queue = control_queue(agent_id, "test")

    @classmethod
    async def opened(cls, side: RegisteringSide, agent_id: str = "ada") -> Caller:
        channel = await (await side.connection.opened()).channel()
        caller = cls(side, channel, agent_id)
        await channel.declare(
            Topology(
                queues=(QueueSpec(name=caller.queue, exclusive=True),),
                bindings=(
                    BindingSpec(exchange=CONTROL, target=caller.queue, key=agent_key(agent_id)),
                ),
            )
        )
        return caller

    async def ask(self, body: bytes, *, kind: str = REGISTER, reply_to: str | None = None) -> None:
        message = Message(
            body=body,
            type=kind,
            correlation_id="question",
            reply_to=reply_to or self.queue,
            expiration=timedelta(seconds=30),
        )
        await self.side.publisher.publish(message, exchange="", key=REQUESTS, mandatory=True)

    async def register(self, **fields: object) -> RegisterReply:
        given: dict[str, object] = {"agent_id": self.agent_id, "agent_type": "worker"}
        request = RegisterRequest.model_validate(given | fields)
        await self.ask(request.model_dump_json().encode())
        return await self.reply()

    async def answer(self) -> dict[str, Any]:
        delivery = await eventually(lambda: self.channel.get(self.queue))
        assert delivery.message.correlation_id == "question"
        answer: dict[str, Any] = json.loads(delivery.message.body)
        return answer

    async def reply(self) -> RegisterReply:
        return RegisterReply.model_validate(await self.answer())

    async def command(self) -> Command | None:
        delivery = await eventually(lambda: self.channel.get(self.queue))
        return decode_command(delivery.message)

    async def beat(self, **fields: object) -> None:
        given: dict[str, object] = {"agent_id": self.agent_id, "instance": "i", "sequence": 1}
        await self.side.say(AgentHeartbeat.model_validate(given | fields), persistent=False)


async def test_an_agent_registers_over_the_broker_and_is_told_its_queues(
    side: RegisteringSide,
) -> None:
    side.book.add(OPEN, Requirements())
    side.book.add(GPU_SOURCE, GPU)
    plain, gpu = await Caller.opened(side, "ada"), await Caller.opened(side, "bob")
    reply = await plain.register()
    assert reply.error is None
    assert reply.sources == [SourceOffer.of(OPEN, Requirements())]
    assert (reply.heartbeat_seconds, reply.stale_after_seconds) == (10.0, 60.0)
    reply = await gpu.register(capabilities=["gpu"], slots=2)
    assert reply.sources == [
        SourceOffer.of(GPU_SOURCE, GPU),
        SourceOffer.of(OPEN, Requirements()),
    ]
    assert [one.agent_id for one in side.registry.discover(capabilities=["gpu"])] == ["bob"]


@pytest.mark.parametrize(
    ("body", "kind", "error"),
    [
        (
            b'{"agent_id": "ada", "agent_type": "novelist"}',
            REGISTER,
            "agent_type 'novelist' is not",
        ),
        (b'{"agent_id": "ada"}', REGISTER, "agent_type: Field required"),
        (b'{"agent_id": "ada"}', "sing", "no request is called 'sing'"),
        (b"agent_id=ada&agent_type=worker", REGISTER, "Invalid JSON"),
        (b'{"agent_type": "worker"}', REGISTER, "agent_id: Field required"),
        (b"\x00Sw\xa1\x02{}", REGISTER, "send the JSON as a data section"),
        (b'{"agent_id": 7.5, "agent_type": "worker"}', REGISTER, "agent_id: Input should be"),
    ],
    ids=[
        "unknown type",
        "missing field",
        "unknown request",
        "no JSON",
        "nobody",
        "AMQP 1.0",
        "a number",
    ],
)
async def test_a_request_that_is_wrong_is_answered_with_why(
    side: RegisteringSide, body: bytes, kind: str, error: str
) -> None:
    caller = await Caller.opened(side)
    await caller.ask(body, kind=kind)
    answer = await caller.answer()
    assert list(answer) == ["error"]  # what an agent asks for first, or last
    assert error in answer["error"]
    assert side.requests.refused == 1
    with pytest.raises(AgentNotFound):
        side.registry.agent_now("ada")


async def test_nobody_is_answered_on_the_queue_of_another(
    side: RegisteringSide, broker: Broker
) -> None:
    victim, caller = await Caller.opened(side, "bob"), await Caller.opened(side, "ada")
    request = b'{"agent_id": "ada", "agent_type": "worker"}'
    await caller.ask(request, reply_to=victim.queue)
    await caller.ask(b"garbage", reply_to="tasks.any.normal")
    await eventually(lambda: side.requests.refused == 2)
    assert (await caller.register()).error is None  # the queue goes on
    assert await victim.channel.get(victim.queue) is None
    assert await broker.depth(REQUESTS) == 0


async def test_an_agent_is_answered_at_the_address_that_its_queue_has_in_amqp_1_0(
    side: RegisteringSide,
) -> None:
    caller, victim = await Caller.opened(side), await Caller.opened(side, "bob")
    request = b'{"agent_id": "ada", "agent_type": "worker"}'
    await caller.ask(request, reply_to=f"/queues/{caller.queue.replace('.', '%2E')}")
    assert (await caller.reply()).error is None
    await caller.ask(request, reply_to=f"/queues/{victim.queue}")
    await eventually(lambda: side.requests.refused == 1)
    assert await victim.channel.get(victim.queue) is None


async def test_null_and_empty_arrays_in_a_registration_are_what_was_not_given(
    side: RegisteringSide,
) -> None:
    caller = await Caller.opened(side)
    given = {"agent_id": "ada", "agent_type": "worker"}
    empties: tuple[Any, ...] = (None, [])
    for empty in empties:
        fields = {"metadata": empty, "endpoints": empty, "capabilities": empty, "tags": empty}
        await caller.ask(json.dumps(given | fields).encode())
        assert (await caller.reply()).error is None
    assert side.registry.agent_now("ada").metadata == {}


async def test_a_heartbeat_counts_whatever_of_it_cannot_be_read(side: RegisteringSide) -> None:
    caller = await Caller.opened(side)
    await caller.register()
    await side.publisher.publish(
        Message(
            body=b'{"agent_id": "ada", "slots": 0, "running": null, "load_metrics": []}',
            type="agent.heartbeat",
            persistent=False,
        ),
        exchange=EVENTS,
        key="agent.ada.heartbeat",
    )
    problems = await eventually(lambda: side.registry.agent_now("ada").metadata.get("problems"))
    assert [one.partition(": Input")[0] for one in problems] == ["heartbeats: slots"]


async def test_an_agent_that_nobody_knows_is_asked_to_register(side: RegisteringSide) -> None:
    caller = await Caller.opened(side)
    await caller.beat()
    assert await caller.command() == RegisterAgain()


async def test_an_agent_that_serves_other_queues_than_it_should_is_sent_the_list(
    side: RegisteringSide,
) -> None:
    side.book.add(OPEN, Requirements())
    caller = await Caller.opened(side)
    await caller.register()
    await caller.beat(sequence=1, sources_hash=sources_hash([OPEN]))
    await caller.beat(sequence=2, sources_hash="another")
    command = await caller.command()
    assert command == ServeSources(sources=[SourceOffer.of(OPEN, Requirements())])
    for sequence in (3, 4, 5):  # told at most once in a few seconds
        await caller.beat(sequence=sequence, sources_hash="another", status="draining")
    await eventually(lambda: side.registry.agent_now("ada").status == "draining")
    await side.commands.told()
    assert await caller.channel.get(caller.queue) is None


async def test_an_agent_that_has_just_been_told_one_thing_is_told_another_at_once(
    side: RegisteringSide,
) -> None:
    caller = await Caller.opened(side)
    await caller.beat(sequence=1)
    assert await caller.command() == RegisterAgain()
    await caller.register()
    side.book.add(OPEN, Requirements())
    listed = ServeSources(sources=[SourceOffer.of(OPEN, Requirements())])
    await caller.beat(sequence=2, sources_hash="one")
    assert await caller.command() == listed
    await caller.beat(sequence=3, sources_hash="another")  # it did something about it
    assert await caller.command() == listed


@pytest.mark.parametrize(
    "terms", [RegistrationTerms(heartbeat_interval=timedelta(seconds=1))], ids=["brisk"]
)
async def test_an_agent_that_missed_the_word_of_a_new_queue_serves_it_after_its_next_beat(
    side: RegisteringSide, broker: Broker, tmp_path: Path
) -> None:
    """A real agent: its heartbeat tells which queues it serves, and it does what it is told then."""
    agent = Agent("ada", amqp_url=broker.url, cache_dir=tmp_path / "cache")

    @agent.task()
    async def work(_: Task) -> None:
        pass

    async with agent.running() as life:
        await life.registered()
        side.book.add(SOURCE, Requirements())  # it is open, and nobody was told
        await side.submit("t")

        async def done() -> bool:
            return (await side.registry.task("t")).state == "completed"

        await eventually(done, timeout=60)
        assert side.registry.agent_now("ada").status == "active"


async def test_an_agent_that_was_out_of_reach_when_it_was_drained_is_told_when_it_beats(
    side: RegisteringSide,
) -> None:
    early = await Caller.opened(side)
    await early.register()
    await early.channel.delete_queue(early.queue)
    assert (await side.registrar.drain("ada"))[1] is False
    late = await Caller.opened(side)
    await late.beat(sequence=1, status="active")
    assert await late.command() == DrainAgent()


async def test_heartbeats_are_never_in_the_log(side: RegisteringSide) -> None:
    caller = await Caller.opened(side)
    await caller.register(slots=1)
    await caller.beat(running=[{"task_id": "t", "started_at": "2026-01-02T03:04:05Z"}], completed=3)
    await eventually(lambda: side.registry.agent_now("ada").status == "busy")
    await eventually(lambda: side.folded)
    assert {event.type for event in side.folded} == {"agent.registered"}


async def test_what_one_coordinator_answers_the_others_know(
    broker: Broker, ledger_url: str, side: RegisteringSide
) -> None:
    async with registering_side(broker.url, name="other", ledger_url=ledger_url) as other:
        other.start()
        await eventually(lambda: other.hearing)
        await side.registrar.register(RegisterRequest(agent_id="ada", agent_type="worker"))
        await eventually(lambda: "ada" in other.agents)
        await other.registrar.set_status("ada", "maintenance", None)
        await eventually(lambda: side.registry.agent_now("ada").status == "maintenance")
        await side.say(SourceOpened(lane="any", priority=Priority.LOW))
        await eventually(lambda: TaskQueue("any", Priority.LOW) in other.book)
        await side.registrar.remove("ada")
        await eventually(lambda: "ada" not in other.agents)


async def test_what_was_in_the_log_when_a_coordinator_began_to_hear_is_known_to_it(
    broker: Broker, ledger_url: str
) -> None:
    async with (
        registering_side(broker.url, name="before", ledger_url=ledger_url) as before,
        registering_side(broker.url, name="after", ledger_url=ledger_url) as after,
    ):
        await before.registrar.register(RegisterRequest(agent_id="ada", agent_type="worker"))
        after.start("live_reader")
        await eventually(lambda: after.hearing)
        assert "ada" not in after.agents
        before.start("projector")
        await eventually(lambda: "ada" in after.agents)


async def test_a_restarted_coordinator_knows_its_agents_and_none_is_falsely_stale(
    broker: Broker, ledger_url: str
) -> None:
    async with registering_side(broker.url, name="before", ledger_url=ledger_url) as before:
        before.start()
        await eventually(lambda: before.hearing)
        for agent_id in ("ada", "bob"):
            await before.registrar.register(
                RegisterRequest(agent_id=agent_id, agent_type="worker", slots=1)
            )
        await before.registrar.set_status("bob", "maintenance", {"pending_tasks": 1})
        await before.registrar.heartbeat("ada", status=None, load_metrics={"cpu_usage": 0.5})
        await eventually(lambda: len(before.folded) == 3)
        await before.snapshots.write()
        told = before.registry.discover()
    async with registering_side(broker.url, name="after", ledger_url=ledger_url) as after:
        await after.snapshots.restore()
        assert after.registry.discover() == told
        assert [one.status for one in told] == ["active", "maintenance"]


async def test_a_lost_connection_makes_nobody_stale_and_agents_are_heard_again(
    side: RegisteringSide, broker: Broker
) -> None:
    caller = await Caller.opened(side)
    await caller.register()
    link = await side.connection.opened()
    await link.close()
    await eventually(lambda: not side.hearing)
    assert side.registry.agent_now("ada").status == "active"
    await eventually(lambda: side.hearing)
    await side.say(
        AgentHeartbeat(agent_id="ada", instance="i", sequence=2, status="degraded"),
        persistent=False,
    )
    await eventually(lambda: side.registry.agent_now("ada").status == "degraded")


async def test_a_silent_agent_is_removed_everywhere(
    side: RegisteringSide, broker: Broker, ledger_url: str
) -> None:
    silent = SilentAgentRemoval(
        agents=side.agents, registrar=side.registrar, remove_after=timedelta(seconds=-1)
    )
    async with registering_side(broker.url, name="other", ledger_url=ledger_url) as other:
        other.start("live_reader")
        await eventually(lambda: other.hearing)
        await side.registrar.register(RegisterRequest(agent_id="ada", agent_type="worker"))
        await eventually(lambda: "ada" in other.agents)
        side.agents._silence.stale_after = timedelta(seconds=-1)
        await silent.remove()
        assert "ada" not in side.agents
        await eventually(lambda: "ada" not in other.agents)
