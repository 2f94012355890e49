"""Users of the broker as `coordinator agents add` makes them, for one test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import quote, urlsplit, urlunsplit

from coordinator.agent_users.agent_grant import AgentGrant
from coordinator.agent_users.agent_users import AgentUsers
from coordinator.agent_users.management_api import AdministeredBroker, AdministratorApi
from tests.support.broker import Broker

__all__ = ["account_of", "url_of", "users_of"]


@asynccontextmanager
async def users_of(broker: Broker) -> AsyncIterator[AgentUsers]:
    """For the virtual host of the test."""
    management = broker.management
    administered = AdministeredBroker(
        amqp_url=broker.url,
        management_url=management.url,
        login=(management.username, management.password),
        vhost=broker.vhost,
    )
    async with AdministratorApi(administered, timeout=30) as api:
        yield AgentUsers(api, vhost=broker.vhost)


@asynccontextmanager
async def account_of(broker: Broker, *grants: AgentGrant) -> AsyncIterator[list[str]]:
    """The broker's address for each of them; the users are deleted at the end."""
    async with users_of(broker) as users, AsyncExitStack() as stack:
        urls = []
        for grant in grants:
            stack.push_async_callback(broker.management.delete, "users", grant.user)
            password = await users.add(grant)
            assert password is not None, f"a user {grant.user} was left behind"
            urls.append(url_of(broker, grant.user, password))
        yield urls


def url_of(broker: Broker, user: str, password: str) -> str:
    """The address of the test's virtual host with another login."""
    parts = urlsplit(broker.url)
    login = f"{quote(user, safe='')}:{quote(password, safe='')}@{parts.hostname}:{parts.port}"
    return urlunsplit(parts._replace(netloc=login))
