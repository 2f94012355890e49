"""Runs `coordinator agents add | rotate | remove | list`: on the broker, or with `--user` in the ledger."""

from __future__ import annotations

import argparse
import asyncio
import shlex
from datetime import UTC, datetime

from coordinator import doctor
from coordinator.agent_users import users_command
from coordinator.agent_users.management_api import AdministeredBroker
from coordinator.commands.ports import Says
from coordinator.doctor.facts.broker_location import BrokerLocation, locate_broker
from coordinator.errors import OperatorError
from coordinator.registry.ledger.inspection_results import KnownUsers
from coordinator.registry.ledger.ledger_inspection import examine
from coordinator.settings import Settings

from . import entered_users

__all__ = ["run"]


def run(settings: Settings, options: argparse.Namespace, say: Says) -> None:
    """Raises `OperatorError` with one line for what cannot be done."""
    _check_broker_alone(options)
    if getattr(options, "user", None) is not None:
        _check_user_alone(options)
        entered_users.run(settings, options, _located(settings), say)
        return
    agent_ids = getattr(options, "agent_ids", [])
    if options.action != "list" and len(agent_ids) != 1:
        raise OperatorError("Name one agent: several ids are for --user NAME alone")
    address = locate_broker(settings)
    users_command.run(
        _administered(address),
        users_command.AgentsOptions.typed(vars(options) | {"agent_id": "".join(agent_ids)}),
        say,
    )
    if options.rabbitmqctl:
        return
    if options.action == "list":
        for line in [*_drift(settings, address), *_entered(settings)]:
            say(line)
    elif options.action == "remove":
        for line in _left(settings, agent_ids[0]):
            say(line)


def _administered(address: BrokerLocation) -> AdministeredBroker:
    return AdministeredBroker(
        amqp_url=address.amqp_url,
        management_url=address.management_url,
        login=address.management_login,
        vhost=address.vhost,
    )


def _located(settings: Settings) -> AdministeredBroker | None:
    """None where no broker is named: the ledger suffices."""
    try:
        return _administered(locate_broker(settings))
    except OperatorError:
        return None


def _check_broker_alone(options: argparse.Namespace) -> None:
    """These actions change the broker: an address of the API before them would be passed over."""
    given = [
        f"--{name.replace('_', '-')}"
        for name in ("url", "key", "key_file")
        if vars(options).get(name)
    ]
    if given:
        raise OperatorError(
            f"{', '.join(given)}: the actions of `coordinator agents` are about users of the broker, which"
            " --amqp-url or COORDINATOR_AMQP_URL names, and not about the API"
        )


def _check_user_alone(options: argparse.Namespace) -> None:
    """What else was typed is about users that this command makes."""
    given = [
        f"--{name.replace('_', '-')}"
        for name in ("capability", "service", "task_type", "slots", "rabbitmqctl", "to")
        if getattr(options, name, None)
    ]
    if getattr(options, "agent_type", None) is not None:
        given.append("--type")
    if given:
        raise OperatorError(
            f"{', '.join(given)}: with --user nothing of the broker is changed; what that user may do is"
            " granted where it was made"
        )


def _drift(settings: Settings, address: BrokerLocation) -> list[str]:
    """What is not as it should be, and the line that puts it right: as the doctor says."""
    found = asyncio.run(doctor.examined_users(settings, address))
    return [f"{one.text}. To put it right: {one.fix}" for one in found if one.fix is not None]


def _entered(settings: Settings) -> list[str]:
    """Of the ledger, which is left as it is, also where there is none."""
    speaks: dict[str, list[str]] = {}
    for user, agent_id in _known(settings).entered:
        speaks.setdefault(user, []).append(agent_id)
    return [f"The user {user} {entered_users.told(ids)}." for user, ids in speaks.items()]


def _left(settings: Settings, agent_id: str) -> list[str]:
    """Who speaks for an agent whose own user is gone."""
    users = [user for user, entered in _known(settings).entered if entered == agent_id]
    return [
        f"The user {user} still speaks for it: "
        + shlex.join(["coordinator", "agents", "remove", agent_id, "--user", user])
        for user in users
    ]


def _known(settings: Settings) -> KnownUsers:
    state = examine(settings.ledger_place, datetime.now(UTC)).state
    return KnownUsers() if state is None else state.users
