"""Gathers facts over RabbitMQ's management API. Each part that this user may not read is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar
from urllib.parse import quote

import httpx

from coordinator.agent_users.agent_users import AgentUser, powers, read_users, tags_of
from coordinator.protocol.topology import BindingSpec

from .broker_location import BrokerLocation
from .fact_types import FeatureFlag, ListedQueue, ManagementFacts, NodeFacts, Permissions, Policy

__all__ = ["TIMEOUT", "ask_management"]

T = TypeVar("T")

TIMEOUT = 10.0
"""Seconds for each answer."""
_WITHHELD = object()
QUEUE_COLUMNS = "name,messages_ready,messages_unacknowledged,members,online,arguments"


class _NotTold(Exception):
    """This user may not read it, or this version does not have it."""


class _NotThere(_NotTold):
    """There is no such thing."""


async def ask_management(
    address: BrokerLocation,
    *,
    timeout: float = TIMEOUT,
    transport: httpx.AsyncBaseTransport | None = None,
) -> ManagementFacts | str:
    """Ask the management API, with ``timeout`` seconds for each answer. The facts, or one sentence that
    says why there are none.
    """
    # A proxy from the environment would be asked for this machine's own loopback address.
    async with httpx.AsyncClient(
        base_url=address.management_url,
        auth=address.management_login,
        timeout=timeout,
        trust_env=False,
        transport=transport,
    ) as http:
        try:
            return await _ask(_Api(http), address)
        except _NotTold as exc:
            return f"{address.management_url} {exc}"
        except httpx.HTTPStatusError as exc:
            return f"{address.management_url} answers {exc.response.status_code}"
        except httpx.HTTPError as exc:
            return f"{address.management_url}: {str(exc) or type(exc).__name__}"
        except (ValueError, LookupError, TypeError, AttributeError):
            return f"what answers at {address.management_url} is not RabbitMQ's management API"


class _Api:
    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def get(self, *path: str, **query: str) -> Any:
        """Raises `_NotTold` for a refusal."""
        where = "/".join(quote(part, safe="") for part in path)
        answer = await self._http.get(f"/api/{where}", params=query)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise _NotTold("refuses this user or password")
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise _NotThere(f"answers {answer.status_code}")
        if answer.status_code == httpx.codes.FORBIDDEN:
            raise _NotTold(f"answers {answer.status_code}")
        answer.raise_for_status()
        return answer.json()

    async def rows(
        self, read: Callable[[dict[str, Any]], T], *path: str, **query: str
    ) -> tuple[T, ...] | None:
        try:
            return tuple([read(row) for row in await self.get(*path, **query)])
        except _NotTold:
            return None

    async def one(self, *path: str) -> Any:
        """None where there is none; `_WITHHELD` where that is not told."""
        try:
            return await self.get(*path)
        except _NotThere:
            return None
        except _NotTold:
            return _WITHHELD


async def _ask(api: _Api, address: BrokerLocation) -> ManagementFacts:
    await api.get("whoami")
    vhost = address.vhost
    there = await api.one("vhosts", vhost)
    granted = await api.one("permissions", vhost, address.user) if there else None
    policies = await api.rows(_policy, "policies", vhost)
    operators = await api.rows(_operator_policy, "operator-policies", vhost)
    bindings = await api.rows(_binding, "bindings", vhost)
    users = await api.rows(dict, "users")
    return ManagementFacts(
        url=address.management_url,
        nodes=await api.rows(_node, "nodes"),
        flags=await api.rows(_flag, "feature-flags"),
        policies=None if policies is None else (*policies, *(operators or ())),
        queues=await api.rows(_queue, "queues", vhost, columns=QUEUE_COLUMNS),
        bindings=None if bindings is None else frozenset(bindings),
        has_vhost=None if there is _WITHHELD else there is not None,
        permissions=_permissions(granted) if there else None,
        agent_users=await _agent_users(api, vhost, users) if there else None,
        powers=None if users is None else {row["name"]: powers(row) for row in users},
        is_administrator=_administers(await api.one("users", address.user)),
    )


async def _agent_users(
    api: _Api, vhost: str, users: Iterable[dict[str, Any]] | None
) -> tuple[AgentUser, ...] | None:
    """None where this user may not read all of it."""
    permissions = await api.rows(dict, "vhosts", vhost, "permissions")
    topics = await api.rows(dict, "vhosts", vhost, "topic-permissions")
    limits = await api.rows(dict, "user-limits")
    if users is None or permissions is None or topics is None or limits is None:
        return None
    return read_users(users, permissions, topics, limits)


def _administers(user: Any) -> bool | None:
    if user is _WITHHELD or user is None:
        return None
    return "administrator" in tags_of(user)


def _permissions(row: Any) -> Permissions | None:
    if row is _WITHHELD:
        return None
    if row is None:
        return Permissions()
    return Permissions(configure=row["configure"], write=row["write"], read=row["read"])


def _node(row: dict[str, Any]) -> NodeFacts:
    return NodeFacts(
        name=row["name"],
        running=bool(row.get("running", True)),
        memory_used=row.get("mem_used"),
        memory_limit=row.get("mem_limit"),
        memory_alarm=bool(row.get("mem_alarm")),
        disk_free=_amount(row.get("disk_free")),
        disk_limit=_amount(row.get("disk_free_limit")),
        disk_alarm=bool(row.get("disk_free_alarm")),
        descriptors_used=row.get("fd_used"),
        descriptors_total=row.get("fd_total"),
        partitions=tuple(row.get("partitions") or ()),
    )


def _amount(value: object) -> int | None:
    """The disk's are a word where RabbitMQ cannot learn them."""
    return value if isinstance(value, int) else None


def _flag(row: dict[str, Any]) -> FeatureFlag:
    return FeatureFlag(
        name=row["name"],
        enabled=row["state"] == "enabled",
        experimental=row.get("stability") == "experimental",
    )


def _policy(row: dict[str, Any], *, operator: bool = False) -> Policy:
    return Policy(
        name=row["name"],
        pattern=row["pattern"],
        definition=row["definition"],
        apply_to=row["apply-to"],
        priority=row["priority"],
        operator=operator,
    )


def _operator_policy(row: dict[str, Any]) -> Policy:
    return _policy(row, operator=True)


def _queue(row: dict[str, Any]) -> ListedQueue:
    """One that was declared in the last seconds has no counts yet."""
    return ListedQueue(
        name=row["name"],
        ready=row.get("messages_ready", 0),
        unsettled=row.get("messages_unacknowledged", 0),
        members=tuple(row.get("members") or ()),
        online=tuple(row.get("online") or ()),
        arguments=row.get("arguments"),
    )


def _binding(row: dict[str, Any]) -> BindingSpec:
    return BindingSpec(
        exchange=row["source"],
        target=row["destination"],
        key=row["routing_key"],
        to_exchange=row["destination_type"] == "exchange",
    )
