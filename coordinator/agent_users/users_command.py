"""Runs `coordinator agents`: makes, changes, removes and lists the users that agents have on the broker."""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.table import Table

from coordinator.errors import InvalidRequest, OperatorError
from coordinator.private_file import write_private_file

from . import rabbitmqctl_commands
from .agent_grant import AgentGrant
from .agent_users import AgentUser, AgentUsers
from .management_api import AdministeredBroker, AdministratorApi

__all__ = ["AgentsOptions", "run"]


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
    to: Path | None = None
    """The file that the agent's address is written to; None shows it."""

    @classmethod
    def typed(cls, parsed: Mapping[str, Any]) -> Self:
        """From what the command line's parser has found, by its names."""
        named = ("action", "agent_id", "agent_type", "slots", "rabbitmqctl", "to")
        lists = (
            ("capabilities", "capability"),
            ("services", "service"),
            ("task_types", "task_type"),
        )
        given: dict[str, Any] = {
            name: parsed[name] for name in named if parsed.get(name) is not None
        }
        given |= {name: parsed[option] for name, option in lists if option in parsed}
        return cls(**given)


def run(broker: AdministeredBroker, options: AgentsOptions, say: Callable[[str], None]) -> None:
    """Do it; ``say`` is called with each line for people. Raises `OperatorError`."""
    if options.to is not None:
        _check_file(options.to, rabbitmqctl=options.rabbitmqctl)
    if options.rabbitmqctl:
        for line in _commands(options, broker):
            say(line)
        return
    asyncio.run(_run(broker, options, say))


def _check_file(file: Path, *, rabbitmqctl: bool) -> None:
    """Before anything is changed: a password that cannot be written down is lost."""
    if rabbitmqctl:
        raise OperatorError(
            "--to is for an address that this command makes; --rabbitmqctl makes none"
        )
    if file.is_dir() or not os.access(file.absolute().parent, os.W_OK | os.X_OK):
        raise OperatorError(f"--to names {file}, which cannot be written: nothing was changed")


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


def _commands(options: AgentsOptions, broker: AdministeredBroker) -> list[str]:
    match options.action:
        case "add":
            return rabbitmqctl_commands.to_add(_granted(options), vhost=broker.vhost)
        case "rotate":
            return rabbitmqctl_commands.to_rotate(options.agent_id)
        case "remove":
            return rabbitmqctl_commands.to_remove(options.agent_id)
        case _:
            return rabbitmqctl_commands.to_list()


async def _run(
    broker: AdministeredBroker, options: AgentsOptions, say: Callable[[str], None]
) -> None:
    async with AdministratorApi(broker) as api:
        users = AgentUsers(api, vhost=broker.vhost)
        match options.action:
            case "add":
                grant = _granted(options)
                password = await users.add(grant)
                if password is None:
                    say(
                        f"The agent {grant.agent_id} had a user, which may do now what is said here. Its"
                        f" password is as it was: {_line('rotate', grant.agent_id)} gives it another."
                    )
                else:
                    _hand_over(broker.url_of(grant.user, password), options, say)
            case "rotate":
                user, password = await users.rotate(options.agent_id)
                _hand_over(broker.url_of(user, password), options, say)
            case "remove":
                await users.remove(options.agent_id)
                say(f"The user of the agent {options.agent_id} is gone from the broker.")
            case _:
                _show(await users.every())


def _hand_over(url: str, options: AgentsOptions, say: Callable[[str], None]) -> None:
    """What a shell is told for the agent; with a file the password is nowhere else."""
    if options.to is None:
        say(f"The agent {options.agent_id} connects with this, which is shown once:")
        say(f"export COORDINATOR_AMQP_URL={shlex.quote(url)}")
        return
    file = options.to.absolute()
    try:
        write_private_file(file, f"{url}\n")
    except OSError as exc:
        again = _line("rotate", options.agent_id)
        raise OperatorError(
            f"--to names {file}, which cannot be written: {exc.strerror}. The user is made; {again} gives it"
            " another password"
        ) from exc
    say(
        f"The agent {options.agent_id} connects with the address in that file, which you alone may read:"
    )
    say(f"export COORDINATOR_AMQP_URL_FILE={shlex.quote(str(file))}")


def _line(action: str, agent_id: str) -> str:
    return shlex.join(["coordinator", "agents", action, agent_id])


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
