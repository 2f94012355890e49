"""Asks for agents, and drains and removes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from coordinator.client.exchange.answer_reading import part, read_as
from coordinator.client.exchange.http_messages import Call, request
from coordinator.client.models.agents import Agent, Drained, StatusDeclared
from coordinator.client.models.pages import Page

__all__ = ["agent", "agents", "declare_status", "discover", "drain", "remove_agent"]


def agent(agent_id: str) -> Call[Agent]:
    """All that is known of one agent."""
    asked = request("GET", "agents", agent_id)
    return Call(asked, lambda body: read_as(Agent, part(body, "agent")))


def agents(
    *,
    status: Iterable[str] = (),
    agent_type: Iterable[str] = (),
    capability: Iterable[str] = (),
    service: Iterable[str] = (),
    listening: bool | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Call[Page[Agent]]:
    """A page of the agents that match, by id. One of the statuses and types, all of the capabilities and
    services.
    """
    query = {
        "status": list(status),
        "agent_type": list(agent_type),
        "capability": list(capability),
        "service": list(service),
        "listening": listening,
        "limit": limit,
        "cursor": cursor,
    }
    return Call(request("GET", "agents", query=query), _agents)


def discover(
    *,
    status: str | None = None,
    agent_type: str | None = None,
    capabilities: Iterable[str] | None = None,
    services: Iterable[str] | None = None,
    tags: Iterable[str] | None = None,
    min_health_score: float | None = None,
    limit: int | None = None,
) -> Call[Page[Agent]]:
    """The agents that match, the best health first."""
    body = {
        "status": status,
        "agent_type": agent_type,
        "capabilities": None if capabilities is None else list(capabilities),
        "services": None if services is None else list(services),
        "tags": None if tags is None else list(tags),
        "min_health_score": min_health_score,
        "limit": limit,
    }
    asked = request("POST", "agents", "discover", json_body=body, repeatable=True)
    return Call(asked, _agents)


def drain(agent_id: str) -> Call[Drained]:
    """Have an agent take nothing more, finish what it has, and stop."""
    asked = request("POST", "agents", agent_id, "drain", repeatable=True)
    return Call(asked, lambda body: read_as(Drained, body))


def declare_status(
    agent_id: str, status: str, *, load_metrics: Mapping[str, float] | None = None
) -> Call[StatusDeclared]:
    """Declare an agent's status, such as `maintenance`."""
    body = {"status": status, "load_metrics": load_metrics}
    asked = request("PUT", "agents", agent_id, "status", json_body=body, repeatable=True)
    return Call(asked, lambda answer: read_as(StatusDeclared, answer))


def remove_agent(agent_id: str) -> Call[None]:
    """Take an agent out of the registry. One that still runs registers again."""
    return Call(request("DELETE", "agents", agent_id), lambda _: None)


def _agents(body: dict[str, Any]) -> Page[Agent]:
    found = read_as(tuple[Agent, ...], part(body, "agents"))
    return Page(items=found, next_cursor=body.get("next_cursor"), total=body.get("total"))
