"""Enters in the ledger which users of the broker speak for which agents, and takes it back."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterable
from functools import partial

from coordinator.agent_users.agent_users import AgentUsers
from coordinator.agent_users.management_api import AdministeredBroker, AdministratorApi
from coordinator.commands.ports import Says
from coordinator.errors import InvalidRequest, LedgerUnavailable, OperatorError
from coordinator.protocol.id_limits import AGENT_WORDS, check_path_id
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.stores.broker_users import (
    COORDINATOR,
    enter_user,
    entered_users,
    remove_entry,
    remove_user,
)
from coordinator.registry.tables.storable_text import is_storable
from coordinator.settings import Settings

__all__ = ["run", "told"]

LONGEST_USER = 255
"""Characters."""

SOON = "Coordinators know it within some seconds."


def run(
    settings: Settings,
    options: argparse.Namespace,
    broker: AdministeredBroker | None,
    say: Says,
) -> None:
    """`add` or `remove` with `--user`. ``broker`` is asked whether it has that user, where it can be. Raises
    `OperatorError`.
    """
    user, agent_ids = options.user, list(dict.fromkeys(options.agent_ids))
    _check(user, agent_ids)
    try:
        if options.action == "add":
            asyncio.run(_enter(settings, user, agent_ids, broker, say))
        else:
            asyncio.run(_take_back(settings, user, agent_ids, say))
    except LedgerUnavailable as exc:
        raise OperatorError(f"Nothing was changed: {exc}") from exc


def told(agent_ids: Iterable[str]) -> str:
    """Whom a user speaks for, as the end of a sentence."""
    ids = list(agent_ids)
    agents = [f"the agent {one}" for one in ids if one != COORDINATOR]
    coordinator = ["coordinators"] if COORDINATOR in ids else []
    return f"speaks for {', '.join(coordinator + agents)}"


def _check(user: str, agent_ids: Iterable[str]) -> None:
    if not user or len(user) > LONGEST_USER or not is_storable(user):
        raise OperatorError(f"--user is a name of 1 to {LONGEST_USER} characters")
    try:
        for agent_id in agent_ids:
            check_path_id(agent_id, "agent_id", field="agent_id", words=AGENT_WORDS)
    except InvalidRequest as exc:
        raise OperatorError(str(exc)) from exc


async def _enter(
    settings: Settings,
    user: str,
    agent_ids: list[str],
    broker: AdministeredBroker | None,
    say: Says,
) -> None:
    doubt = await _doubt(user, agent_ids, broker)
    async with Ledger(settings.ledger_place) as ledger:
        if (user, COORDINATOR) in await ledger.read(entered_users):
            raise OperatorError(
                f"The user {user} is a coordinator's: give the agent another, or, where no coordinator has it"
                f" any more: coordinator agents remove --user {user}"
            )
        for agent_id in agent_ids:
            await ledger.write(partial(enter_user, user=user, agent_id=agent_id))
        rows = await ledger.read(entered_users)
    speaks_for = [agent_id for name, agent_id in rows if name == user]
    say(f"The user {user} {told(speaks_for)}, and for no other. {SOON}")
    if doubt is not None:
        say(doubt)


async def _doubt(user: str, agent_ids: list[str], broker: AdministeredBroker | None) -> str | None:
    """Why it is not known whether the broker has the user. Raises `OperatorError` where it has none, or
    where it is another agent's own.
    """
    if broker is None:
        return "Whether the broker has that user was not looked at: none is named"
    try:
        async with AdministratorApi(broker) as api:
            there, grant = await AgentUsers(api, vhost=broker.vhost).named(user)
    except OperatorError as exc:
        return f"Whether the broker has that user was not looked at: {exc}"
    if not there:
        raise OperatorError(f"The broker has no user {user}: make it first, or put its name right")
    if grant is not None and agent_ids != [grant.agent_id]:
        raise OperatorError(
            f"The user {user} was made for the agent {grant.agent_id}, and could not speak for it any more:"
            f" make one for each agent with `coordinator agents add {agent_ids[0]}`"
        )
    return None


async def _take_back(settings: Settings, user: str, agent_ids: list[str], say: Says) -> None:
    async with Ledger(settings.ledger_place) as ledger:
        if agent_ids:
            gone = [
                await ledger.write(partial(remove_entry, user=user, agent_id=agent_id))
                for agent_id in agent_ids
            ]
        else:
            gone = [await ledger.write(partial(remove_user, user=user))]
        rows = await ledger.read(entered_users)
    if not sum(gone):
        raise OperatorError(
            f"The ledger enters no such thing of the user {user}: `coordinator agents list` tells what it"
            " enters"
        )
    left = [agent_id for name, agent_id in rows if name == user]
    if left:
        say(f"The user {user} {told(left)}, and for no other. {SOON}")
    else:
        say(
            f"Nothing is entered of the user {user} any more: it speaks for the agent alone that is called so"
            f" on the broker. {SOON}"
        )
