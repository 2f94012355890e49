"""What is read of the management API, and what is said where it does not answer as it should."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from coordinator.doctor.facts.fact_types import (
    FeatureFlag,
    ListedQueue,
    ManagementFacts,
    NodeFacts,
    Permissions,
    Policy,
)
from coordinator.doctor.facts.management_facts import ask_management
from coordinator.protocol.topology import BindingSpec
from tests.unit.doctor.healthy import HEALTHY

POLICY = {"name": "p", "pattern": "^t", "apply-to": "queues", "priority": 3, "definition": {"a": 1}}
BINDING = {"source": "x", "destination": "q", "routing_key": "#", "destination_type": "queue"}
ANSWERS: dict[str, Any] = {
    "/api/whoami": {"name": "operator"},
    "/api/policies/fleet": [POLICY],
    "/api/operator-policies/fleet": [POLICY],
    "/api/bindings/fleet": [BINDING, BINDING | {"destination_type": "exchange"}],
    "/api/nodes": [
        {"name": "new", "running": True},
        {
            "name": "n",
            "running": False,
            "mem_used": 1,
            "mem_limit": 2,
            "disk_free": "unknown",
            "disk_free_alarm": True,
            "partitions": ["m"],
        },
    ],
    "/api/feature-flags": [
        {"name": "a", "state": "enabled", "stability": "stable"},
        {"name": "b", "state": "disabled", "stability": "experimental"},
    ],
    "/api/vhosts/fleet": {"name": "fleet"},
    "/api/permissions/fleet/operator": {"configure": "c", "write": "w", "read": "r"},
    "/api/queues/fleet": [
        {"name": "new"},
        {"name": "q", "messages_ready": 1, "messages_unacknowledged": 2, "members": ["n"]},
    ],
}


async def asked(answers: dict[str, Any]) -> ManagementFacts | str:
    """A number is a status."""

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"].startswith("Basic ")
        found = answers.get(request.url.path, 404)
        return httpx.Response(found) if isinstance(found, int) else httpx.Response(200, json=found)

    return await ask_management(HEALTHY.address, transport=httpx.MockTransport(answer))


async def test_every_part_is_read() -> None:
    policy = Policy(
        name="p", pattern="^t", apply_to="queues", priority=3, definition={"a": 1}, operator=False
    )
    operator = Policy(
        name="p", pattern="^t", apply_to="queues", priority=3, definition={"a": 1}, operator=True
    )
    assert await asked(ANSWERS) == ManagementFacts(
        url="http://rabbit:15672",
        nodes=(
            NodeFacts(name="new"),
            NodeFacts(
                name="n",
                running=False,
                memory_used=1,
                memory_limit=2,
                disk_alarm=True,
                partitions=("m",),
            ),
        ),
        flags=(
            FeatureFlag(name="a", enabled=True),
            FeatureFlag(name="b", enabled=False, experimental=True),
        ),
        policies=(policy, operator),
        queues=(
            ListedQueue(name="new"),
            ListedQueue(name="q", ready=1, unsettled=2, members=("n",)),
        ),
        bindings=frozenset(
            BindingSpec(exchange="x", target="q", key="#", to_exchange=to) for to in (False, True)
        ),
        has_vhost=True,
        permissions=Permissions(configure="c", write="w", read="r"),
    )


@pytest.mark.parametrize(
    ("vhost", "granted", "has_vhost", "permissions"),
    [
        (404, 404, False, None),
        (401, 401, None, None),
        ({"name": "fleet"}, 404, True, Permissions()),
        ({"name": "fleet"}, 401, True, None),
    ],
)
async def test_what_is_missing_is_told_from_what_is_not_told(
    vhost: Any, granted: int, has_vhost: bool | None, permissions: Permissions | None
) -> None:
    found = await asked(
        ANSWERS | {"/api/vhosts/fleet": vhost, "/api/permissions/fleet/operator": granted}
    )
    assert isinstance(found, ManagementFacts)
    assert (found.has_vhost, found.permissions) == (has_vhost, permissions)


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_part_that_this_user_may_not_read_is_left_out(status: int) -> None:
    found = await asked(ANSWERS | {"/api/nodes": status, "/api/queues/fleet": status})
    assert isinstance(found, ManagementFacts)
    assert found.withheld == ("nodes", "queues")


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({}, "http://rabbit:15672 answers 404"),
        ({"/api/whoami": 401}, "http://rabbit:15672 refuses this user or password"),
        (ANSWERS | {"/api/nodes": 500}, "500"),
        (ANSWERS | {"/api/nodes": [{"other": 1}]}, "not RabbitMQ's management API"),
        (ANSWERS | {"/api/nodes": {"a": 1}}, "not RabbitMQ's management API"),
    ],
)
async def test_what_answers_otherwise_is_said_in_a_sentence(
    answers: dict[str, Any], sentence: str
) -> None:
    found = await asked(answers)
    assert isinstance(found, str)
    assert sentence in found
    assert "\n" not in found
    assert "hunter2" not in found
