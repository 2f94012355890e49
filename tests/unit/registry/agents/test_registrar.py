"""Commands about agents: refused with a sentence, or published, confirmed and seen at once."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from pydantic_core import from_json

from coordinator.errors import (
    AgentNotFound,
    BrokerUnavailable,
    InvalidRequest,
    NotOpened,
    TooManyRequests,
)
from coordinator.protocol.messages.events import OVER_HTTP, AgentHeartbeat, AgentRegistered, Event
from coordinator.protocol.messages.registration import RegisterRequest
from coordinator.registry.agents.registrar import Registrar
from coordinator.registry.agents.silent_agent_removal import SilentAgentRemoval
from tests.support.decoding import decode
from tests.unit.domain.histories import START
from tests.unit.registry.fleet import Fleet, Published, registered

TOO_DEEP = from_json("[" * 100 + "]" * 100)


class Office:
    def __init__(self) -> None:
        self.fleet = Fleet()
        self.published = Published()
        self.unheard: list[Event] = []
        self.queues: dict[str, bool] = {}
        self.opened = True
        self.registrar = Registrar(
            agents=self.fleet,
            publisher=self.published,
            hear=self._hear,
            has_queue=self._has_queue,
            opened=lambda: self.opened,
            extra_agent_types=["poet"],
            max_names=2,
            now=self.fleet.clock.now,
        )

    async def _has_queue(self, agent_id: str) -> bool | None:
        return self.queues.get(agent_id)

    async def _hear(self) -> None:
        """As its live queue, where another coordinator has registered somebody."""
        for event in self.unheard:
            self.fleet.apply(event)

    async def register(self, agent_id: str = "ada", agent_type: str = "worker") -> None:
        await self.registrar.register(RegisterRequest(agent_id=agent_id, agent_type=agent_type))


@pytest.fixture
def office() -> Office:
    return Office()


async def test_what_would_be_in_no_record_since_the_log_is_not_bound_yet_is_refused(
    office: Office,
) -> None:
    await office.register("known")
    before = list(office.published.messages)
    office.opened = False
    with pytest.raises(NotOpened):
        await office.register("ada")
    with pytest.raises(NotOpened):
        await office.registrar.set_status("known", "draining", None)
    with pytest.raises(NotOpened):
        await office.registrar.remove("known", reason="a person")
    assert office.published.messages == before
    assert "ada" not in office.fleet
    await office.registrar.heartbeat("known", status=None, load_metrics=None)


async def test_a_registration_is_published_and_seen_at_once(office: Office) -> None:
    request = RegisterRequest(agent_id="ada", agent_type="poet", capabilities=["gpu"], slots=2)
    assert await office.registrar.register(request) == START
    ((exchange, key, message),) = office.published.messages
    assert (exchange, key, message.persistent) == (
        "coordinator.events",
        "agent.ada.registered",
        True,
    )
    (event,) = decode(message, key)
    assert isinstance(event.data, AgentRegistered)
    assert event.data.capabilities == ["gpu"]
    assert office.fleet.status_of("ada") == "active"


@pytest.mark.parametrize("has_queue", [True, False, None])
async def test_a_registration_over_http_is_marked_and_answered_with_whether_it_has_a_queue(
    office: Office, has_queue: bool | None
) -> None:
    if has_queue is not None:
        office.queues["ada"] = has_queue
    request = RegisterRequest(agent_id="ada", agent_type="worker", via=None)
    assert await office.registrar.register_over_http(request) == (START, has_queue)
    await office.registrar.heartbeat("ada", status=None, load_metrics=None)
    told = [decode(message, key)[0].data for _, key, message in office.published.messages]
    assert [one.via for one in told if isinstance(one, AgentRegistered | AgentHeartbeat)] == [
        OVER_HTTP,
        OVER_HTTP,
    ]


async def test_a_registration_over_the_broker_cannot_say_that_it_came_another_way(
    office: Office,
) -> None:
    request = RegisterRequest(agent_id="ada", agent_type="worker", via=OVER_HTTP)
    await office.registrar.register(request)
    assert office.fleet.view(office.fleet.the("ada")).listening


async def test_an_agent_that_another_coordinator_has_just_registered_is_known(
    office: Office,
) -> None:
    with pytest.raises(AgentNotFound):
        await office.registrar.heartbeat("ada", status=None, load_metrics=None)
    office.unheard = [registered()]
    assert await office.registrar.heartbeat("ada", status=None, load_metrics=None) == START


async def test_what_is_not_confirmed_is_not_seen(office: Office) -> None:
    office.published.fails = BrokerUnavailable()
    with pytest.raises(BrokerUnavailable):
        await office.register()
    assert "ada" not in office.fleet


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (RegisterRequest(agent_id="a\nb", agent_type="worker"), "agent_id"),
        (RegisterRequest(agent_id="ada", agent_type="novelist"), "agent_type"),
        (RegisterRequest(agent_id="ada", agent_type="worker", capabilities=[""]), "capabilities"),
        (RegisterRequest(agent_id="ada", agent_type="worker", tags=["a", "b", "c"]), "tags"),
        *[
            (
                RegisterRequest(agent_id="ada", agent_type="worker", metadata={"a": value}),
                "metadata",
            )
            for value in (float("nan"), [float("-inf")], 10**400, TOO_DEEP, "x" * 16_377)
        ],
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_registration_that_is_wrong_is_refused_and_names_the_field(
    office: Office, request_: RegisterRequest, field: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await office.registrar.register(request_)
    assert refused.value.field == field
    assert office.published.messages == []


async def test_metadata_of_16_kib_are_taken(office: Office) -> None:
    most = {"a": "x" * (16 * 1024 - len('{"a":""}'))}
    await office.registrar.register(
        RegisterRequest(agent_id="ada", agent_type="worker", metadata=most)
    )
    assert office.fleet.view(office.fleet.the("ada")).metadata == most


async def test_a_heartbeat_is_heard_and_is_not_durable(office: Office) -> None:
    await office.register()
    office.fleet.pass_time(70)
    at = await office.registrar.heartbeat("ada", status=None, load_metrics={"cpu_usage": 0.5})
    assert at == START + timedelta(seconds=70)
    assert office.published.keys == ["agent.ada.registered", "agent.ada.heartbeat"]
    assert not office.published.messages[-1][2].persistent
    view = office.fleet.view(office.fleet.the("ada"))
    assert (view.status, view.load_metrics, view.last_heartbeat) == (
        "active",
        {"cpu_usage": 0.5},
        at,
    )


async def test_a_heartbeat_with_another_status_declares_it(office: Office) -> None:
    await office.register()
    await office.registrar.heartbeat("ada", status="busy", load_metrics=None)
    await office.registrar.heartbeat("ada", status="busy", load_metrics=None)
    assert office.published.keys.count("agent.ada.status-changed") == 1
    assert office.fleet.status_of("ada") == "busy"
    await office.registrar.heartbeat("ada", status="active", load_metrics=None)
    assert office.fleet.status_of("ada") == "active"


async def test_a_status_is_declared(office: Office) -> None:
    await office.register()
    await office.registrar.set_status("ada", "maintenance", {"pending_tasks": 3})
    view = office.fleet.view(office.fleet.the("ada"))
    assert (view.status, view.load_metrics) == ("maintenance", {"pending_tasks": 3})
    with pytest.raises(InvalidRequest):
        await office.registrar.set_status("ada", "on fire", None)


async def test_an_agent_is_draining_at_once_and_is_told_where_it_can_be(office: Office) -> None:
    await office.register()
    office.fleet.clock.wall += timedelta(seconds=1)
    assert await office.registrar.drain("ada") == (office.fleet.clock.wall, True)
    assert office.fleet.status_of("ada") == "draining"
    exchange, key, message = office.published.messages[-1]
    assert (exchange, key, message.type) == ("coordinator.control", "agent.ada", "drain")


async def test_nothing_can_be_said_of_an_agent_that_nobody_knows(office: Office) -> None:
    with pytest.raises(AgentNotFound):
        await office.registrar.heartbeat("ada", status=None, load_metrics=None)
    with pytest.raises(AgentNotFound):
        await office.registrar.set_status("ada", "busy", None)
    with pytest.raises(AgentNotFound):
        await office.registrar.remove("ada")
    assert office.published.messages == []


async def test_an_agent_that_is_silent_for_very_long_is_removed(office: Office) -> None:
    silent = SilentAgentRemoval(
        agents=office.fleet, registrar=office.registrar, remove_after=timedelta(minutes=5)
    )
    await office.register("ada")
    office.fleet.pass_time(299)
    await office.register("bob")
    await silent.remove()
    assert "ada" in office.fleet
    office.fleet.pass_time(2)
    office.published.fails = BrokerUnavailable()
    await silent.remove()
    assert "ada" in office.fleet
    office.published.fails = None
    await silent.remove()
    assert "ada" not in office.fleet
    assert "bob" in office.fleet
    assert office.published.keys[-1] == "agent.ada.removed"


def test_a_heartbeat_over_http_names_no_process() -> None:
    """So it is never taken for a second process under one id."""
    assert AgentHeartbeat(agent_id="ada").instance is None


async def register_by(office: Office, agent_id: str, by: str | None, most: int) -> None:
    request = RegisterRequest(agent_id=agent_id, agent_type="worker", registered_by="key:other")
    await office.registrar.register_over_http(request, by=by, most=most)


async def test_a_caller_registers_as_many_agents_as_it_may(office: Office) -> None:
    for agent_id in ("a", "b", "a"):
        await register_by(office, agent_id, "key:mine", 2)
    with pytest.raises(TooManyRequests, match="COORDINATOR_MAX_CALLERS_AGENTS") as refused:
        await register_by(office, "c", "key:mine", 2)
    assert refused.value.retry_after > 1
    assert "c" not in office.fleet
    await register_by(office, "c", "key:other", 2)
    await register_by(office, "d", None, 2)
    await register_by(office, "e", "key:mine", 0)
    await office.registrar.remove("a")
    await office.registrar.remove("e")
    await register_by(office, "f", "key:mine", 2)


async def test_agents_that_are_registered_at_once_count_before_they_are_known(
    office: Office,
) -> None:
    many = (register_by(office, f"agent-{n}", "key:mine", 3) for n in range(9))
    ended = await asyncio.gather(*many, return_exceptions=True)
    assert sum(isinstance(one, TooManyRequests) for one in ended) == 6
    assert len(office.fleet) == 3


async def test_one_whose_registration_was_not_confirmed_does_not_count(office: Office) -> None:
    office.opened = False
    with pytest.raises(NotOpened):
        await register_by(office, "a", "key:mine", 1)
    office.opened = True
    await register_by(office, "b", "key:mine", 1)


async def test_an_agent_on_the_broker_cannot_say_who_registered_it(office: Office) -> None:
    request = RegisterRequest(agent_id="ada", agent_type="worker", registered_by="key:victim")
    await office.registrar.register(request)
    await register_by(office, "bob", "key:victim", 1)
