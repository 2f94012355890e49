"""Users of the broker that a test makes for its actors, each with permissions of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit, urlunsplit

from .broker import Broker

__all__ = ["Account", "broker_account"]

PASSWORD = "of-this-test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What a user may do in the test's virtual host: regular expressions, everything by default."""

    name: str
    configure: str = ".*"
    write: str = ".*"
    read: str = ".*"
    topics: Mapping[str, str] = field(default_factory=dict)
    """Per exchange, the routing keys that the user may publish with: those exchanges must exist."""
    tags: Sequence[str] = ()


@asynccontextmanager
async def broker_account(broker: Broker, account: Account) -> AsyncIterator[str]:
    """A user of the broker for as long as the block lasts; its AMQP address."""
    api = broker.management
    await api.put(
        "users", account.name, body={"password": PASSWORD, "tags": ",".join(account.tags)}
    )
    try:
        await api.put(
            "permissions",
            broker.vhost,
            account.name,
            body={
                "configure": account.configure,
                "write": account.write,
                "read": account.read,
            },
        )
        for exchange, keys in account.topics.items():
            await api.put(
                "topic-permissions",
                broker.vhost,
                account.name,
                body={"exchange": exchange, "write": keys, "read": "^$"},
            )
        parts = urlsplit(broker.url)
        host = parts.netloc.rpartition("@")[2]
        login = f"{quote(account.name, safe='')}:{PASSWORD}"
        yield urlunsplit(parts._replace(netloc=f"{login}@{host}"))
    finally:
        await api.delete("users", account.name)
