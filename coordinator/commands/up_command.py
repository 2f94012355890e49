"""Runs `coordinator up`: everything on one machine, which is a private RabbitMQ, the service and example
agents.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from coordinator.agent_users.agent_grant import AgentGrant
from coordinator.agent_users.management_api import AdministeredBroker
from coordinator.agent_users.private_node_users import make_agent_users, make_service_user
from coordinator.bootstrap import Duty, running
from coordinator.errors import OperatorError
from coordinator.metrics.group_file import GroupMember
from coordinator.rabbitmq_node.embedded_node import EmbeddedNode
from coordinator.settings import Settings
from coordinator.web_server.http_server import serving
from coordinator.web_server.server_options import ServerOptions
from coordinator.web_server.server_socket import address, bind

from . import gc_tuning, next_steps
from .example_agent_processes import ExampleAgent, ExampleAgentProcesses, example_agents
from .observability.examined_service import examined_service
from .observability.metrics_listener import metrics_listener, serving_metrics
from .observability.traced_service import is_traced, traced_service
from .ports import Says
from .private_node_start import start_private_node
from .projector_process import beside_projector

__all__ = ["UpOptions", "up"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOptions:
    """Holds the options of `coordinator up` that are no settings."""

    agents: int | None = None
    """How many example agents; None starts each once, more than there are starts some twice."""
    new_broker: bool = False
    """Replace a private node whose data this RabbitMQ cannot read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """Holds the bound sockets of the service, and how the API is served on its own."""

    api: socket.socket
    server: ServerOptions
    metrics: socket.socket | None
    """None where the API tells them, or nobody."""


async def up(settings: Settings, options: UpOptions, say: Says) -> None:
    """Start everything, tell where it is, and keep it running; ends only by cancellation."""
    _check(settings, options)
    server = ServerOptions.of(settings)
    began = time.monotonic()
    listener = bind(settings.http_host, settings.http_port)
    scraped = metrics_listener(settings)
    say(f"data folder: {settings.data_dir}")
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(listener.close)
        if scraped is not None:
            stack.callback(scraped.close)
        node = None
        url = settings.amqp_url
        if url is None:
            node = await stack.enter_async_context(
                await start_private_node(settings, say, new=options.new_broker)
            )
            url = await make_service_user(_administered(node))
        named = settings.model_copy(update={"amqp_url": url})
        listeners = Listeners(api=listener, server=server, metrics=scraped)
        work = partial(_serve, named, options, listeners, node, began, say)
        say("starting the coordinator")
        await (beside_projector(named, work) if settings.projects_apart else work())


async def _serve(
    settings: Settings,
    options: UpOptions,
    listeners: Listeners,
    node: EmbeddedNode | None,
    began: float,
    say: Says,
    member: GroupMember | None = None,
) -> None:
    """With the broker that the settings name, which is that of ``node`` where there is one."""
    duty = Duty.SERVING if settings.projects_apart else Duty.ALL
    async with contextlib.AsyncExitStack() as stack:
        watched = await stack.enter_async_context(traced_service())
        # The private broker is examined with the rights of its administrator, which its folder has.
        seen = settings if node is None else settings.model_copy(update={"amqp_url": None})
        coordinator = await stack.enter_async_context(
            running(settings, examined_service(watched, seen), duty=duty, member=member)
        )
        await coordinator.ready_to_answer()
        await stack.enter_async_context(
            serving(
                coordinator.app,
                listeners.api,
                listeners.server,
                traced=is_traced(watched),
                note_error=coordinator.note_error,
                leaving=coordinator.leave,
                stopping=coordinator.stop_streams,
            )
        )
        await stack.enter_async_context(
            serving_metrics(coordinator.page, listeners.metrics, settings)
        )
        gc_tuning.resume()
        await coordinator.ready()
        agents = await example_agents(options.agents)
        logs = settings.data_dir / "logs"
        urls = await _addresses(agents, settings.amqp_url or "", node)
        await stack.enter_async_context(
            ExampleAgentProcesses(agents, amqp_urls=urls, log_dir=logs, say=say)
        )
        if agents:
            say(f"waiting for {len(agents)} example agents to register")
            await coordinator.agents_known({agent.agent_id for agent in agents})
        say(f"ready after {time.monotonic() - began:.1f} s")
        _say_where(settings, listeners, node, agents, say)
        ends = [asyncio.create_task(coordinator.failed())]
        if node is not None:
            ends.append(asyncio.create_task(node.keep()))
        try:
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in ends:
                task.cancel()
            say("stopping")


def _administered(node: EmbeddedNode) -> AdministeredBroker:
    return AdministeredBroker(
        amqp_url=node.amqp_url,
        management_url=node.management_url,
        login=(node.username, node.password),
    )


async def _addresses(
    agents: Sequence[ExampleAgent], amqp_url: str, node: EmbeddedNode | None
) -> Mapping[str, str]:
    """The broker's address for each agent, by its id. On the private node each has a user of its own."""
    if node is None:
        return {agent.agent_id: amqp_url for agent in agents}
    return await make_agent_users(
        _administered(node),
        [
            AgentGrant(
                agent_id=agent.agent_id,
                agent_type=agent.agent_type,
                capabilities=agent.capabilities,
                services=agent.services,
            )
            for agent in agents
        ],
    )


def _say_where(
    settings: Settings,
    listeners: Listeners,
    node: EmbeddedNode | None,
    agents: Sequence[ExampleAgent],
    say: Says,
) -> None:
    base = address(listeners.api, tls=listeners.server.tls is not None)
    say("")
    say(f"  API            {base}")
    say(f"  API docs       {base}/docs")
    if settings.dashboard:
        say(f"  dashboard      {base}/dashboard/")
    if listeners.metrics is not None:
        say(f"  metrics        {address(listeners.metrics)}/metrics")
    if node is not None:
        say(f"  RabbitMQ UI    {node.management_url}")
        say(f"                 user and password: {node.administrator_file}")
        say(f"  for agents     {next_steps.agent_line(settings)}")
    for agent in agents:
        say(f"  agent          {agent.agent_id}: {agent.summary}")
    if agents:
        say(f"  agents' logs   {settings.data_dir / 'logs'}")
    say("")
    for line in next_steps.demo_lines(settings, base):
        say(line)
    say("Ctrl-C stops everything.")


def _check(settings: Settings, options: UpOptions) -> None:
    if options.new_broker and settings.amqp_url is not None:
        raise OperatorError(
            "--new-broker is for the private RabbitMQ node, and a broker is named with --amqp-url or"
            " COORDINATOR_AMQP_URL: docs/operations/upgrades.md says how to change that one"
        )
