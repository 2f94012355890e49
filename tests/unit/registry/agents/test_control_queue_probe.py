"""Which agents are on the broker: by what they say over it, or by what it says of their queues."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from coordinator.domain.agent import Agent
from coordinator.errors import BrokerUnavailable, OperatorError, OutcomeUnknown, PublishRefused
from coordinator.protocol.message import Message
from coordinator.protocol.messages.agent_commands import decode_command
from coordinator.protocol.messages.events import OVER_HTTP, AgentHeartbeat, AgentRegistered, Event
from coordinator.registry.agents.control_queue_probe import (
    ASK_AGAIN_AFTER,
    MOST_AT_ONCE,
    ControlQueueProbe,
)
from tests.unit.domain.histories import START
from tests.unit.registry.fleet import Fleet, beat, declared, registered, removed

HTTP: dict[str, Any] = {"via": OVER_HTTP}


class Broker:
    """Has the control queues of ``present``."""

    def __init__(self) -> None:
        self.present: set[str] = set()
        self.asked: list[str] = []
        self.fails: Exception | None = None

    async def publish(
        self, message: Message, *, exchange: str, key: str, mandatory: bool = False
    ) -> None:
        assert (exchange, message.type, mandatory) == ("coordinator.control", "probe", True)
        assert decode_command(message) is None, "an agent ignores it"
        agent_id = key.removeprefix("agent.")
        self.asked.append(agent_id)
        if self.fails is not None:
            raise self.fails
        if agent_id not in self.present:
            raise PublishRefused("no queue takes it")


class Asking:
    def __init__(self) -> None:
        self.fleet = Fleet()
        self.broker = Broker()
        self.probe = ControlQueueProbe(
            agents=self.fleet,
            publisher=self.broker,
            ready=lambda: True,
            monotonic=self.fleet.clock.monotonic,
        )

    async def asked(self) -> list[str]:
        self.broker.asked.clear()
        await self.probe.look()
        return sorted(self.broker.asked)

    def listening(self) -> list[str]:
        """As a view, the index and the count tell it, which must agree."""
        fleet = self.fleet
        views = {one.agent_id: fleet.view(one).listening for one in fleet.all()}
        for agent_id, listens in views.items():
            assert fleet.takes_work(fleet.the(agent_id)) is listens
        assert fleet.count_listening() == sum(views.values())
        return sorted(agent_id for agent_id, listens in views.items() if listens)


@pytest.fixture
def asking() -> Asking:
    return Asking()


def restored(fleet: Fleet, registration: dict[str, Any], heartbeat: dict[str, Any] | None) -> None:
    data = registered(**registration).data
    assert isinstance(data, AgentRegistered)
    fleet.restore(
        Agent(registration=data, stated_at=START, registered_at=START, statement="a statement"),
        heartbeat=None if heartbeat is None else AgentHeartbeat(agent_id="ada", **heartbeat),
        load_metrics=None,
        heard_at=START,
        silence=timedelta(),
    )
    fleet.restored()


async def test_who_registers_over_the_broker_listens_and_is_not_asked_for(asking: Asking) -> None:
    asking.fleet.apply(registered())
    assert asking.listening() == ["ada"]
    assert await asking.asked() == []


async def test_who_registers_over_http_listens_once_the_broker_has_its_queue(
    asking: Asking,
) -> None:
    asking.fleet.apply(registered(**HTTP))
    asking.fleet.apply(beat(**HTTP))
    assert asking.listening() == []
    assert await asking.asked() == ["ada"]
    assert asking.listening() == []

    asking.broker.present.add("ada")
    assert await asking.asked() == []  # not again so soon
    asking.fleet.pass_time(ASK_AGAIN_AFTER.total_seconds())
    assert await asking.asked() == ["ada"]
    assert asking.listening() == ["ada"]

    asking.broker.present.clear()
    asking.fleet.pass_time(ASK_AGAIN_AFTER.total_seconds())
    await asking.asked()
    assert asking.listening() == []


async def test_a_heartbeat_over_the_broker_is_a_proof_until_one_over_http_follows(
    asking: Asking,
) -> None:
    asking.fleet.apply(registered(**HTTP))
    asking.fleet.apply(beat())
    assert asking.listening() == ["ada"]
    assert await asking.asked() == []

    asking.fleet.apply(beat(**HTTP))
    assert asking.listening() == ["ada"], "it may well be there still"
    assert await asking.asked() == ["ada"]
    assert asking.listening() == []


async def test_who_was_on_the_broker_and_registers_over_http_is_asked_for(asking: Asking) -> None:
    asking.fleet.apply(registered())
    asking.fleet.apply(registered(seconds=1, **HTTP))
    assert asking.listening() == ["ada"]
    assert await asking.asked() == ["ada"]
    assert asking.listening() == []


async def test_the_status_and_the_queue_must_both_allow_it(asking: Asking) -> None:
    asking.fleet.apply(registered())
    asking.fleet.apply(declared("maintenance"))
    assert asking.listening() == []
    asking.fleet.apply(declared("active", seconds=2))
    assert asking.listening() == ["ada"]
    asking.fleet.pass_time(61)
    assert asking.listening() == []
    assert asking.fleet.on_broker(asking.fleet.the("ada")), "as far as was heard"


async def test_one_whose_status_lets_it_take_nothing_is_not_asked_for(asking: Asking) -> None:
    asking.fleet.apply(registered(**HTTP))
    asking.fleet.apply(declared("maintenance"))
    assert await asking.asked() == []


async def test_one_that_is_removed_is_forgotten(asking: Asking) -> None:
    asking.fleet.apply(registered(**HTTP))
    asking.fleet.apply(removed())
    assert await asking.asked() == []
    asking.fleet.apply(registered(seconds=3))
    assert asking.listening() == ["ada"]


@pytest.mark.parametrize(
    ("registration", "heartbeat", "listening", "asked"),
    [
        ({}, None, ["ada"], []),
        ({}, {}, ["ada"], []),
        (HTTP, None, [], ["ada"]),
        (HTTP, HTTP, [], ["ada"]),
        (HTTP, {}, ["ada"], []),
        ({}, HTTP, ["ada"], ["ada"]),
    ],
)
async def test_a_process_that_starts_knows_it_from_what_the_ledger_kept(
    asking: Asking,
    registration: dict[str, Any],
    heartbeat: dict[str, Any] | None,
    listening: list[str],
    asked: list[str],
) -> None:
    restored(asking.fleet, registration, heartbeat)
    assert asking.listening() == listening
    assert await asking.asked() == asked


@pytest.mark.parametrize(
    "fails", [BrokerUnavailable(), OutcomeUnknown(), PublishRefused("no permission")]
)
async def test_what_the_broker_cannot_tell_now_changes_nothing(
    asking: Asking, fails: Exception
) -> None:
    fails.__cause__ = OperatorError("ACCESS_REFUSED") if type(fails) is PublishRefused else None
    asking.fleet.apply(registered("ada", **HTTP))
    asking.fleet.apply(registered("bob"))
    asking.fleet.apply(registered("bob", seconds=1, **HTTP))
    asking.broker.fails = fails
    assert await asking.asked() == ["ada", "bob"]
    assert asking.listening() == ["bob"]
    assert await asking.probe.ask("ada") is None


async def test_a_proof_that_comes_while_the_broker_is_asked_is_not_undone(asking: Asking) -> None:
    asking.fleet.apply(registered(**HTTP))
    asking.fleet.apply(beat())
    asking.fleet.probed("ada", present=False)
    assert asking.listening() == ["ada"]


async def test_a_large_fleet_is_asked_for_in_turns(asking: Asking) -> None:
    everyone = [f"agent-{number:04}" for number in range(MOST_AT_ONCE * 2 + 1)]
    for agent_id in everyone:
        asking.fleet.apply(registered(agent_id, **HTTP))
    asked = [await asking.asked() for _ in range(4)]
    assert [len(some) for some in asked] == [MOST_AT_ONCE, MOST_AT_ONCE, 1, 0]
    assert sorted(one for some in asked for one in some) == everyone


def test_how_it_was_heard_is_kept_with_the_event() -> None:
    event = Event(data=AgentRegistered(agent_id="ada", agent_type="worker", via=OVER_HTTP))
    assert AgentRegistered.model_validate_json(event.data.model_dump_json(exclude_none=True)) == (
        event.data
    )
    assert "via" not in AgentHeartbeat(agent_id="ada").model_dump_json(exclude_none=True)
