"""Runs `coordinator agents`: makes, changes, removes and lists the users that agents have on the broker."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from rich.console import Console
from rich.table import Table

from coordinator.agent_users import rabbitmqctl_commands
from coordinator.agent_users.agent_grant import AgentGrant
from coordinator.agent_users.agent_users import AgentUser, AgentUsers
from coordinator.agent_users.management_api import AdministratorApi
from coordinator.doctor.facts.broker_location import BrokerLocation, locate_broker
from coordinator.errors import InvalidRequest, OperatorError
from coordinator.settings import Settings

from .ports import Says

__all__ = ["AgentsOptions", "agent_url", "run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentsOptions:
    """Holds what was typed after `coordinator agents`."""

    action: str
    """`add`, `rotate`, `remove` or `list`."""
    agent_id: str = ""
    agent_type: str = "worker"
    capabilities: list[str] = field(default_factory=list)
    services: list[str] = field(default_factory=list)
    task_types: list[str] = field(default_factory=list)
    slots: int = 24
    rabbitmqctl: bool = False
    """Print the commands, and change nothing."""


def run(settings: Settings, options: AgentsOptions, say: Says) -> None:
    """Raises `OperatorError`."""
    address = locate_broker(settings)
    if options.rabbitmqctl:
        for line in _commands(options, address):
            say(line)
        return
    asyncio.run(_run(address, options, say))


def agent_url(address: BrokerLocation, user: str, password: str) -> str:
    """The broker's address with an agent's login."""
    parts = urlsplit(address.amqp_url)
    login = f"{quote(user, safe='')}:{quote(password, safe='')}"
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{login}@{host}").geturl()


def _granted(options: AgentsOptions) -> AgentGrant:
    try:
        return AgentGrant(
            agent_id=options.agent_id,
            agent_type=options.agent_type,
            capabilities=tuple(options.capabilities),
            services=tuple(options.services),
            task_types=tuple(options.task_types),
            slots=options.slots,
        )
    except InvalidRequest as exc:
        raise OperatorError(str(exc)) from exc


def _commands(options: AgentsOptions, address: BrokerLocation) -> list[str]:
    match options.action:
        case "add":
            return rabbitmqctl_commands.to_add(_granted(options), vhost=address.vhost)
        case "rotate":
            return rabbitmqctl_commands.to_rotate(options.agent_id)
        case "remove":
            return rabbitmqctl_commands.to_remove(options.agent_id)
        case _:
            return rabbitmqctl_commands.to_list()


async def _run(address: BrokerLocation, options: AgentsOptions, say: Says) -> None:
    async with AdministratorApi(address.management_url, address.management_login) as api:
        users = AgentUsers(api, vhost=address.vhost)
        match options.action:
            case "add":
                grant = _granted(options)
                password = await users.add(grant)
                if password is None:
                    say(
                        f"The agent {grant.agent_id} had a user, which may do now what is said here."
                    )
                else:
                    _say_url(address, options.agent_id, grant.user, password, say)
            case "rotate":
                user, password = await users.rotate(options.agent_id)
                _say_url(address, options.agent_id, user, password, say)
            case "remove":
                await users.remove(options.agent_id)
                say(f"The user of the agent {options.agent_id} is gone from the broker.")
            case _:
                _show(await users.every())


def _say_url(address: BrokerLocation, agent_id: str, user: str, password: str, say: Says) -> None:
    say(f"The agent {agent_id} connects with this, which is shown once:")
    say(f"COORDINATOR_AMQP_URL={agent_url(address, user, password)}")


def _show(found: list[AgentUser]) -> None:
    console = Console(highlight=False)
    if not found:
        console.print("The broker has no user of an agent.")
        return
    table = Table("agent", "type", "may do", "slots", "rights", box=None, pad_edge=False)
    for one in found:
        grant = one.grant
        table.add_row(
            grant.agent_id,
            grant.agent_type,
            ", ".join((*grant.capabilities, *grant.services)) or "-",
            str(grant.slots),
            "; ".join(one.drift) or "as granted",
        )
    console.print(table)
