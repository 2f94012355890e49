"""Makes the users of a private RabbitMQ node: the service's, who is no administrator, and one for each agent.

Their passwords are made from the administrator's, which the node's folder keeps: they are the same after each
start, nothing else is to be kept, and none tells another.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping

from .agent_grant import AgentGrant
from .agent_users import AgentUsers
from .management_api import AdministeredBroker, AdministratorApi

__all__ = ["SERVICE_USER", "make_agent_users", "make_service_user"]

SERVICE_USER = "coordinator-service"

EVERYTHING = {"configure": ".*", "write": ".*", "read": ".*"}
"""In the virtual host, where there is nothing but what the service declares; none of it is of the node."""


async def make_service_user(node: AdministeredBroker) -> str:
    """The broker's address for the service. Raises `OperatorError`."""
    password = _password(node, SERVICE_USER)
    async with AdministratorApi(node) as api:
        await api.put("users", SERVICE_USER, body={"password": password, "tags": ""})
        await api.put("permissions", node.vhost, SERVICE_USER, body=EVERYTHING)
    return node.url_of(SERVICE_USER, password)


async def make_agent_users(
    node: AdministeredBroker, grants: Iterable[AgentGrant]
) -> Mapping[str, str]:
    """The broker's address for each agent, by its id. Raises `OperatorError`."""
    urls: dict[str, str] = {}
    async with AdministratorApi(node) as api:
        users = AgentUsers(api, vhost=node.vhost)
        for grant in grants:
            password = _password(node, f"agent {grant.user}")
            await users.add(grant, password=password)
            urls[grant.agent_id] = node.url_of(grant.user, password)
    return urls


def _password(node: AdministeredBroker, whose: str) -> str:
    made = hmac.new(node.login[1].encode(), whose.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(made[:24]).decode()
