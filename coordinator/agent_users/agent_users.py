"""Adds, rotates, removes, lists and compares the users of agents over RabbitMQ's management API."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coordinator.errors import OperatorError
from coordinator.protocol.name_encoding import encode_word
from coordinator.protocol.topology import TOPOLOGY

from .agent_grant import CONTROL_POLICY, AgentGrant, control_policy
from .management_api import AdministratorApi

__all__ = ["AgentUser", "AgentUsers", "new_password", "powers", "read_users", "tags_of"]

POWERS = ("administrator", "impersonator", "management", "monitoring", "policymaker")
"""Tags that RabbitMQ knows: no agent needs any. An impersonator may publish in any user's name."""


def new_password() -> str:
    """Of 192 random bits, with characters that need no escaping in a URL."""
    return secrets.token_urlsafe(24)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentUser:
    """An agent's user as the broker has it in one virtual host."""

    grant: AgentGrant
    drift: tuple[str, ...] = ()
    """Which of its rights are other than what was granted; in words. () where all are right."""
    read: str | None = None
    """Its read permission, a pattern over names of queues; None where it has none here."""


class AgentUsers:
    """Changes users of one virtual host. Every method raises `OperatorError`."""

    def __init__(
        self,
        api: AdministratorApi,
        *,
        vhost: str,
        make_password: Callable[[], str] = new_password,
    ) -> None:
        self._api = api
        self._vhost = vhost
        self._make_password = make_password

    async def add(self, grant: AgentGrant, *, password: str | None = None) -> str | None:
        """Make the user, or bring what it may do in line with ``grant``. The password of a new one; None
        where there was one, which keeps its password.
        """
        there = await self._api.get("users", grant.user)
        if there is not None:
            _check_ours(there, grant.agent_id)
        if there is not None and password is None:
            kept = {name: there[name] for name in ("password_hash", "hashing_algorithm")}
            await self._put_user(grant, kept)
        else:
            password = password or self._make_password()
            await self._put_user(grant, {"password": password})
        await self._grant(grant)
        return password

    async def rotate(self, agent_id: str) -> tuple[str, str]:
        """Give it a new password; its user and that. Connections that are open stay so."""
        there = await self._there(agent_id)
        password = self._make_password()
        body = {"password": password, "tags": ",".join(tags_of(there))}
        await self._api.put("users", encode_word(agent_id), body=body)
        return encode_word(agent_id), password

    async def remove(self, agent_id: str) -> None:
        """Delete the user, with all that it may do; the broker closes its connections."""
        await self._there(agent_id)
        await self._api.delete("users", encode_word(agent_id))

    async def every(self) -> list[AgentUser]:
        """Those of all agents, by id."""
        found = read_users(
            await self._api.get("users") or (),
            await self._api.get("vhosts", self._vhost, "permissions") or (),
            await self._api.get("vhosts", self._vhost, "topic-permissions") or (),
            await self._api.get("user-limits") or (),
        )
        return list(found)

    async def named(self, name: str) -> tuple[bool, AgentGrant | None]:
        """Whether there is a user of this name, and what it was granted where it was made for an agent."""
        row = await self._api.get("users", name)
        return row is not None, None if row is None else AgentGrant.of_tags(tags_of(row))

    async def _there(self, agent_id: str) -> Mapping[str, Any]:
        there: Mapping[str, Any] | None = await self._api.get("users", encode_word(agent_id))
        if there is None:
            raise OperatorError(
                f"The broker has no user for the agent {agent_id}: `coordinator agents list` tells which"
                " there are"
            )
        _check_ours(there, agent_id)
        return there

    async def _put_user(self, grant: AgentGrant, secret: Mapping[str, object]) -> None:
        body = {**secret, "tags": ",".join(grant.tags)}
        await self._api.put("users", grant.user, body=body)

    async def _grant(self, grant: AgentGrant) -> None:
        """The permissions come last: without them it cannot connect, and is never less bounded than it is
        to be.
        """
        for limit, value in grant.limits.items():
            await self._api.put("user-limits", grant.user, limit, body={"value": value})
        await self._api.put("policies", self._vhost, CONTROL_POLICY, body=control_policy())
        for topics in grant.topic_permissions:
            await self._make_exchange(topics["exchange"])
            await self._api.put("topic-permissions", self._vhost, grant.user, body=topics)
        await self._api.put("permissions", self._vhost, grant.user, body=grant.permissions)

    async def _make_exchange(self, name: str) -> None:
        """As coordinators declare it: from RabbitMQ 4.3 on there are no topic permissions for one that is
        not.
        """
        if await self._api.get("exchanges", self._vhost, name) is None:
            spec = next(one for one in TOPOLOGY.exchanges if one.name == name)
            body = {"type": spec.kind, "durable": True, "arguments": dict(spec.arguments)}
            await self._api.put("exchanges", self._vhost, name, body=body)


def read_users(
    users: Iterable[Mapping[str, Any]],
    permissions: Iterable[Mapping[str, Any]],
    topics: Iterable[Mapping[str, Any]],
    limits: Iterable[Mapping[str, Any]],
) -> tuple[AgentUser, ...]:
    """Those of agents that may do anything in one virtual host, by id, each compared with its grant: from the
    management API's rows about all users and their limits, and about their permissions there.
    """
    may, may_publish = _by_user(permissions), _by_user(topics)
    bounds = {row["user"]: row["value"] for row in limits}
    found = [
        AgentUser(
            grant=grant,
            drift=(
                *_powerful(row),
                *_drift(grant, may.get(row["name"], []), may_publish.get(row["name"], [])),
                *_unbounded(grant, bounds.get(row["name"], {})),
            ),
            read=next((one["read"] for one in may.get(row["name"], [])), None),
        )
        for row in users
        if (row["name"] in may or row["name"] in may_publish)
        and (grant := AgentGrant.of_tags(tags_of(row))) is not None
    ]
    return tuple(sorted(found, key=lambda user: user.grant.agent_id))


def powers(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Which tags of a user let it do more than its permissions say."""
    return tuple(sorted(set(tags_of(row)).intersection(POWERS)))


def tags_of(row: Mapping[str, Any]) -> list[str]:
    """Of a user: a list from RabbitMQ 3.9 on, a text with commas before."""
    tags = row["tags"]
    return tags.split(",") if isinstance(tags, str) else list(tags)


def _by_user(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["user"], []).append(row)
    return found


def _drift(
    grant: AgentGrant,
    permissions: Iterable[Mapping[str, Any]],
    topics: Sequence[Mapping[str, Any]],
) -> Iterable[str]:
    """In words, what it may do here beside what was granted, or may not do."""
    had = {kind: row[kind] for row in permissions for kind in ("configure", "write", "read")}
    wanted = grant.permissions
    for kind in wanted:
        if not had:
            yield "it has no permissions here"
            break
        if had[kind] != wanted[kind]:
            yield f"its {kind} permission is {had[kind]}"
    for wanted_topics in grant.topic_permissions:
        yield from _topics_drift(wanted_topics, topics)


def _topics_drift(wanted: Mapping[str, str], topics: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    """The same of what it may publish to one exchange, and hear of it."""
    exchange = wanted["exchange"]
    found = [row for row in topics if row["exchange"] == exchange]
    if not found:
        yield f"its topic permission to write to {exchange} is none, so that it speaks for anybody"
        return
    for kind, preposition in (("write", "write to"), ("read", "read from")):
        if found[0][kind] != wanted[kind]:
            yield f"its topic permission to {preposition} {exchange} is {found[0][kind]}"


def _powerful(row: Mapping[str, Any]) -> Iterable[str]:
    """In words, what its tags let it do."""
    for tag in powers(row):
        yield f"it has the tag {tag}"


def _unbounded(grant: AgentGrant, limits: Mapping[str, int]) -> Iterable[str]:
    """In words, which of its limits is another one."""
    for name, wanted in grant.limits.items():
        if limits.get(name) != wanted:
            yield f"its limit {name} is {limits.get(name, 'none')}, and was to be {wanted}"


def _check_ours(row: Mapping[str, Any], agent_id: str) -> None:
    grant = AgentGrant.of_tags(tags_of(row))
    if grant is None:
        raise OperatorError(
            f"The broker has a user {row['name']} that is no agent's: choose another id for the agent, or"
            " rename that user"
        )
    if grant.agent_id != agent_id:
        raise OperatorError(f"The user {row['name']} is that of the agent {grant.agent_id}")
