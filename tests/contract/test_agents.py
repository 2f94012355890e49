"""Agents over HTTP, on the whole service."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from coordinator.bootstrap import Coordinator
from coordinator.protocol.messages.events import AgentHeartbeat, Event

pytestmark = pytest.mark.any_broker

HERMES = {
    "agent_id": "hermes-agent",
    "agent_type": "worker",
    "capabilities": ["data-processing", "analysis"],
    "services": ["task-execution"],
    "endpoints": {"http": "http://localhost:9002"},
    "metadata": {"version": "1.0.0"},
}


async def register(http: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await http.post("/agents/register", json=HERMES | fields)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def found(http: httpx.AsyncClient, **filters: Any) -> set[str]:
    answer = await http.post("/agents/discover", json=filters)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["query"] == filters
    assert body["count"] == len(body["agents"])
    return {agent["agent_id"] for agent in body["agents"]}


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def test_a_registered_agent_can_be_looked_up_at_once_with_all_that_it_said(
    http: httpx.AsyncClient,
) -> None:
    registered = await register(http)

    agent = (await http.get("/agents/hermes-agent")).json()["agent"]

    assert {name: agent[name] for name in HERMES} == HERMES
    assert agent["status"] == "active"
    assert 0 <= agent["health_score"] <= 1
    assert (agent["version"], agent["tags"], agent["load_metrics"]) == ("1.0.0", [], {})
    assert agent["registration_time"] == registered["registered_at"]
    assert instant(agent["last_heartbeat"]) >= instant(registered["registered_at"])


@pytest.mark.parametrize(
    ("given", "field", "kept"),
    [
        ({"metadata": []}, "metadata", {}),
        ({"endpoints": []}, "endpoints", {}),
        ({"endpoints": {"http": None}}, "endpoints", {}),
        ({"capabilities": {}}, "capabilities", []),
        ({"services": {}}, "services", []),
        ({"tags": {}}, "tags", []),
        ({"task_types": {}}, "task_types", None),
    ],
    ids=str,
)
async def test_what_is_empty_is_empty_as_each_language_writes_it(
    http: httpx.AsyncClient, given: dict[str, Any], field: str, kept: Any
) -> None:
    await register(http, **given)
    agent = (await http.get("/agents/hermes-agent")).json()["agent"]
    assert agent.get(field) == kept


@pytest.mark.parametrize("metrics", [[], {"gpu": None}, None], ids=str)
async def test_an_agent_that_measured_nothing_is_heard_however_it_says_so(
    http: httpx.AsyncClient, metrics: Any
) -> None:
    await register(http)
    for method, path in (("POST", "heartbeat"), ("PUT", "status")):
        body = {"status": "active", "load_metrics": metrics}
        answer = await http.request(method, f"/agents/hermes-agent/{path}", json=body)
        assert answer.status_code == 200, answer.text
    agent = (await http.get("/agents/hermes-agent")).json()["agent"]
    assert agent["load_metrics"] == {}


async def test_registering_again_replaces_what_was_said(http: httpx.AsyncClient) -> None:
    await register(http)
    await register(http, capabilities=["gpu"], version="2.0", tags=["blue"])
    agent = (await http.get("/agents/hermes-agent")).json()["agent"]
    assert (agent["capabilities"], agent["version"], agent["tags"]) == (["gpu"], "2.0", ["blue"])


@pytest.mark.parametrize(
    "agent_type",
    [
        "worker",
        "provider",
        "consumer",
        "general",
        "coordinator",
        "specialist",
        "monitor",
        "gateway",
        "orchestrator",
        "inference",
        "training",
        "processing",
    ],
)
async def test_each_of_the_agent_types_can_register(
    http: httpx.AsyncClient, agent_type: str
) -> None:
    await register(http, agent_type=agent_type)
    assert await found(http, agent_type=agent_type) == {"hermes-agent"}


async def test_another_agent_type_is_a_422_that_names_it(http: httpx.AsyncClient) -> None:
    answer = await http.post("/agents/register", json=HERMES | {"agent_type": "wizard"})
    assert answer.status_code == 422
    assert "wizard" in answer.json()["detail"]
    assert answer.json()["errors"][0]["field"] == "agent_type"
    assert (await http.get("/agents/hermes-agent")).status_code == 404


@pytest.mark.parametrize("field", ["capabilities", "services", "tags"])
@pytest.mark.parametrize("names", [[""], ["x" * 129], ["a\tb"], ["a"] * 33])
async def test_names_that_are_too_many_too_long_or_not_printable_are_a_422(
    http: httpx.AsyncClient, field: str, names: list[str]
) -> None:
    answer = await http.post("/agents/register", json=HERMES | {field: names})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert field in answer.json()["detail"]


async def test_filters_of_a_discovery_are_anded(http: httpx.AsyncClient) -> None:
    await register(http, agent_id="a", capabilities=["x", "y"], services=["s"])
    await register(http, agent_id="b", capabilities=["x"], services=["s"], agent_type="monitor")
    await register(http, agent_id="c", capabilities=["y"], services=[])

    assert await found(http) == {"a", "b", "c"}
    assert await found(http, capabilities=["x"]) == {"a", "b"}
    assert await found(http, capabilities=["x", "y"]) == {"a"}
    assert await found(http, services=["s"], agent_type="monitor") == {"b"}
    assert await found(http, status="active", services=["s"]) == {"a", "b"}
    assert await found(http, status="busy") == set()


async def test_a_discovery_obeys_tags_health_and_limit_and_tells_the_healthiest_first(
    http: httpx.AsyncClient, service: Coordinator
) -> None:
    await register(http, agent_id="a", tags=["blue", "big"])
    await register(http, agent_id="b", tags=["blue"])
    await register(http, agent_id="c", tags=["blue", "big"])
    beat = AgentHeartbeat(agent_id="a", completed=0, failed=8)
    service.registry.note(Event(data=beat))

    async def order(**filters: Any) -> list[str]:
        answer = await http.post("/agents/discover", json=filters)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert body["count"] == len(body["agents"])
        scores = [agent["health_score"] for agent in body["agents"]]
        assert scores == sorted(scores, reverse=True)
        return [agent["agent_id"] for agent in body["agents"]]

    assert await order() == ["b", "c", "a"]
    assert await order(tags=["blue", "big"]) == ["c", "a"]
    assert await order(tags=["red"]) == []
    assert await order(min_health_score=0.9) == ["b", "c"]
    assert await order(min_health_score=0) == ["b", "c", "a"]
    assert await order(limit=1) == ["b"]
    assert await order(limit=1, tags=["big"], min_health_score=0.1) == ["c"]

    cut = (await http.post("/agents/discover", json={"limit": 2})).json()
    assert (cut["count"], cut["total"]) == (2, 3)
    assert "total" not in (await http.post("/agents/discover", json={"limit": 3})).json()


@pytest.mark.parametrize(
    ("filters", "sentence"),
    [
        ({"limit": 0}, "limit: input should be greater than or equal to 1"),
        ({"limit": "many"}, "limit: input should be a valid integer"),
        (
            {"min_health_score": -0.1},
            "min_health_score: input should be greater than or equal to 0",
        ),
        ({"min_health_score": 1.5}, "min_health_score: input should be less than or equal to 1"),
        ({"tags": "blue"}, "tags: input should be a valid list"),
    ],
)
async def test_a_discovery_that_makes_no_sense_is_a_422(
    http: httpx.AsyncClient, filters: dict[str, Any], sentence: str
) -> None:
    answer = await http.post("/agents/discover", json=filters)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(sentence)


@pytest.mark.parametrize(
    "filters",
    [
        {"status": "tired"},
        {"agent_type": "wizard"},
        {"capabilities": ["magic"]},
        {"services": ["magic"]},
    ],
)
async def test_a_filter_value_that_nobody_has_finds_nobody(
    http: httpx.AsyncClient, filters: dict[str, Any]
) -> None:
    await register(http)
    assert await found(http, **filters) == set()


@pytest.mark.parametrize(
    "status",
    ["active", "inactive", "busy", "stale", "maintenance", "error", "degraded", "draining"],
)
async def test_each_status_can_be_declared_and_is_seen_at_once(
    http: httpx.AsyncClient, status: str
) -> None:
    await register(http)
    answer = await http.put("/agents/hermes-agent/status", json={"status": status})
    assert answer.status_code == 200
    assert answer.json()["new_status"] == status
    assert (await http.get("/agents/hermes-agent")).json()["agent"]["status"] == status
    assert await found(http, status=status) == {"hermes-agent"}


async def test_load_metrics_of_a_status_update_are_seen(http: httpx.AsyncClient) -> None:
    await register(http)
    metrics = {"active_connections": 5, "pending_tasks": 2}
    await http.put("/agents/hermes-agent/status", json={"status": "busy", "load_metrics": metrics})
    assert (await http.get("/agents/hermes-agent")).json()["agent"]["load_metrics"] == metrics


async def test_a_heartbeat_is_seen_with_its_instant_status_and_metrics(
    http: httpx.AsyncClient,
) -> None:
    registered = await register(http)
    answer = await http.post(
        "/agents/hermes-agent/heartbeat",
        json={"status": "degraded", "load_metrics": {"cpu_usage": 0.5}},
    )
    heard_at = answer.json()["heartbeat_at"]
    assert instant(heard_at) > instant(registered["registered_at"])
    agent = (await http.get("/agents/hermes-agent")).json()["agent"]
    assert instant(agent["last_heartbeat"]) >= instant(heard_at)
    assert (agent["status"], agent["load_metrics"]) == ("degraded", {"cpu_usage": 0.5})


async def test_a_heartbeat_with_an_unknown_status_is_a_422(http: httpx.AsyncClient) -> None:
    await register(http)
    answer = await http.post("/agents/hermes-agent/heartbeat", json={"status": "tired"})
    assert answer.status_code == 422


async def test_a_removed_agent_is_gone_at_once_and_may_register_again(
    http: httpx.AsyncClient,
) -> None:
    await register(http)
    assert (await http.delete("/agents/hermes-agent")).status_code == 200
    assert (await http.get("/agents/hermes-agent")).status_code == 404
    assert await found(http) == set()
    assert (await http.delete("/agents/hermes-agent")).status_code == 404
    await register(http)
    assert await found(http) == {"hermes-agent"}


@pytest.mark.parametrize("agent_id", ["a/b", "ünï 🙂", "50%", "registers", "a.b#c", "'; --"])
async def test_an_agent_with_odd_characters_in_its_id_is_like_any_other(
    http: httpx.AsyncClient, agent_id: str
) -> None:
    await register(http, agent_id=agent_id)
    path = f"/agents/{quote(agent_id, safe='')}"
    assert (await http.put(f"{path}/status", json={"status": "busy"})).status_code == 200
    assert (await http.post(f"{path}/heartbeat")).status_code == 200
    assert (await http.get(path)).json()["agent"]["agent_id"] == agent_id
    assert (await http.delete(path)).status_code == 200
