"""Registers, finds, looks up, drains and removes agents; takes their statuses and heartbeats over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request

from coordinator.api.access_control.caller import Caller
from coordinator.api.access_control.own_things import check_agent
from coordinator.api.endpoint_route import EndpointRoute
from coordinator.api.endpoint_services import Wired
from coordinator.api.json_answer import JsonAnswer
from coordinator.api.list_answer import ListAnswer, written
from coordinator.api.openapi_document import responses
from coordinator.api.path_segments import AGENT, SEGMENT
from coordinator.api.strict_requests import strict_request_without_body
from coordinator.api.unknown_body_keys import unknown_keys_of, with_warnings
from coordinator.api.wire.agent_registration import (
    RegisterAgent,
    Registered,
    check_registration,
    register_request,
)
from coordinator.api.wire.agents import (
    AgentAnswer,
    AgentRemovedAnswer,
    DiscoverAgents,
    Discovered,
    DrainAnswer,
    Heartbeat,
    HeartbeatAnswer,
    StatusUpdated,
    UpdateStatus,
    agent_shape,
)
from coordinator.api.wire.fields.instants import iso, timestamp
from coordinator.domain.agent_statuses import check_status

__all__ = ["router"]

router = APIRouter(prefix="/agents", tags=["Agents"], route_class=EndpointRoute)

TAKES_NOTHING = (
    "The agent is known and takes no tasks: it has no control queue on the broker, and speaking HTTP"
    " alone is not listening. How to listen is in docs/guides/agents-in-other-languages.md; it counts"
    " as soon as its queue is there."
)
"""The warning of a registration."""

AgentId = Annotated[
    str, Path(description="The agent's id, URL-encoded.", examples=["hermes-agent"])
]


@router.post(
    "/register",
    summary="Register an agent",
    responses=responses("register_agent", Registered, 413, 422, 503),
)
async def register_agent(
    body: RegisterAgent, request: Request, wired: Wired, caller: Caller
) -> JsonAnswer:
    """Makes an agent known, or says anew what it can do. Agents that speak AMQP register over the
    broker and need not call this. One that has no control queue on the broker takes no tasks: a
    `warning` says so, and names keys of the request that are unknown and were ignored.
    """
    check_agent("register_agent", caller, body.agent_id)
    check_registration(body, wired.limits)
    registered_at, has_queue = await wired.registrar.register_over_http(
        register_request(body), by=caller.actor, most=wired.quotas.agents
    )
    unknown = await unknown_keys_of(request, RegisterAgent)
    return JsonAnswer(
        {
            "status": "success",
            "message": f"Agent {body.agent_id} registered successfully",
            "agent_id": body.agent_id,
            "registered_at": iso(registered_at),
            **with_warnings(TAKES_NOTHING if has_queue is False else None, unknown),
        }
    )


@router.post(
    "/discover",
    summary="Find agents",
    responses=responses("discover_agents", Discovered, 413, 422),
)
async def discover_agents(
    request: Request, wired: Wired, body: DiscoverAgents | None = None
) -> ListAnswer:
    """The agents that match every filter given; all agents where none is. The best health first, then
    by id; `total` says how many there are where `limit`, or the 4 MiB that an answer may have, leaves
    some out: `GET /agents` has all of them, in pages. A value that nobody has
    matches nobody, which is no error.
    """
    query = body or DiscoverAgents()
    found = wired.registry.discover(
        status=query.status,
        agent_type=query.agent_type,
        capabilities=query.capabilities or (),
        services=query.services or (),
        tags=query.tags or (),
        min_health_score=query.min_health_score or 0,
    )
    shown = await written(found[: query.limit], agent_shape)
    after = {
        "count": len(shown),
        **({"total": len(found)} if len(shown) < len(found) else {}),
        **with_warnings(await unknown_keys_of(request, DiscoverAgents)),
        "timestamp": timestamp(),
    }
    before = {"status": "success", "query": query.model_dump(exclude_none=True)}
    return ListAnswer(before, "agents", shown, after)


@router.put(
    f"/{{agent_id:{SEGMENT}}}/status",
    summary="Declare an agent's status",
    responses=responses("update_agent_status", StatusUpdated, 404, 413, 422, 503),
)
async def update_agent_status(
    agent_id: AgentId, body: UpdateStatus, request: Request, wired: Wired, caller: Caller
) -> JsonAnswer:
    """A declared status is one thing and silence another: an agent that is not heard of becomes
    `stale` whatever was declared but `inactive`, as an agent is that said goodbye.
    """
    check_agent("update_agent_status", caller, agent_id)
    status = check_status(body.status)
    updated_at = await wired.registrar.set_status(agent_id, status, body.load_metrics)
    return JsonAnswer(
        {
            "status": "success",
            "message": f"Agent {agent_id} status updated",
            "agent_id": agent_id,
            "new_status": status.value,
            "updated_at": iso(updated_at),
            **with_warnings(await unknown_keys_of(request, UpdateStatus)),
        }
    )


@router.post(
    f"/{{agent_id:{SEGMENT}}}/heartbeat",
    summary="Give a sign of life",
    responses=responses("agent_heartbeat", HeartbeatAnswer, 404, 413, 422, 503),
)
async def agent_heartbeat(
    agent_id: AgentId,
    request: Request,
    wired: Wired,
    caller: Caller,
    body: Heartbeat | None = None,
) -> JsonAnswer:
    """For agents that speak HTTP; the body may be left out. Agents that speak AMQP send their
    heartbeats over the broker.
    """
    check_agent("agent_heartbeat", caller, agent_id)
    beat = body or Heartbeat()
    heard_at = await wired.registrar.heartbeat(
        agent_id, status=beat.status, load_metrics=beat.load_metrics
    )
    return JsonAnswer(
        {
            "status": "success",
            "message": f"Heartbeat received from {agent_id}",
            "agent_id": agent_id,
            "heartbeat_at": iso(heard_at),
            **with_warnings(await unknown_keys_of(request, Heartbeat)),
        }
    )


@router.post(
    f"/{{agent_id:{SEGMENT}}}/drain",
    summary="Drain an agent",
    dependencies=[strict_request_without_body],
    responses=responses("drain_agent", DrainAnswer, 404, 413, 422, 503),
)
async def drain_agent(agent_id: AgentId, wired: Wired) -> JsonAnswer:
    """The agent takes nothing more, finishes what it has, says goodbye and stops, as on SIGTERM. It is
    `draining` from now on. `told` is false where it has no connection to the broker: an agent that
    speaks HTTP alone reads its status and stops itself.
    """
    drained_at, told = await wired.registrar.drain(agent_id)
    return JsonAnswer(
        {
            "status": "success",
            "message": f"Agent {agent_id} is draining",
            "agent_id": agent_id,
            "told": told,
            "drained_at": iso(drained_at),
        }
    )


@router.get(
    f"/{{agent_id:{AGENT}}}",
    summary="Look up an agent",
    responses=responses("get_agent", AgentAnswer, 404),
)
async def get_agent(agent_id: AgentId, wired: Wired, caller: Caller) -> JsonAnswer:
    """All that is known of one agent."""
    check_agent("get_agent", caller, agent_id)
    agent = await wired.registry.agent(agent_id)
    return JsonAnswer({"status": "success", "agent": agent_shape(agent), "timestamp": timestamp()})


@router.delete(
    f"/{{agent_id:{AGENT}}}",
    summary="Remove an agent",
    dependencies=[strict_request_without_body],
    responses=responses("remove_agent", AgentRemovedAnswer, 404, 413, 422, 503),
)
async def remove_agent(agent_id: AgentId, wired: Wired) -> JsonAnswer:
    """Takes an agent out of the registry. One that still runs registers again with its next
    heartbeat.
    """
    await wired.registrar.remove(agent_id)
    return JsonAnswer(
        {
            "status": "success",
            "message": f"Agent {agent_id} removed",
            "agent_id": agent_id,
            "timestamp": timestamp(),
        }
    )
