"""Asks RabbitMQ's management API as an administrator: reads, puts and deletes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

import httpx

from coordinator.errors import OperatorError

__all__ = ["AdministeredBroker", "AdministratorApi"]

TIMEOUT = 10.0
"""Seconds for each answer."""

HOW_ELSE = (
    "name a file with http://administrator:password@host:15672 in COORDINATOR_MANAGEMENT_URL_FILE, or print"
    " the commands for rabbitmqctl with --rabbitmqctl"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdministeredBroker:
    """A broker, one virtual host of it, and an administrator's way to it."""

    amqp_url: str = field(repr=False)
    """As the service has it: agents get it with a login of their own."""
    management_url: str
    login: tuple[str, str] = field(repr=False)
    """Of the administrator: user and password."""
    vhost: str = "/"

    def url_of(self, user: str, password: str) -> str:
        """The broker's address with another login."""
        parts = urlsplit(self.amqp_url)
        host = parts.netloc.rpartition("@")[2]
        login = f"{quote(user, safe='')}:{quote(password, safe='')}"
        return parts._replace(netloc=f"{login}@{host}").geturl()


class AdministratorApi:
    """An async context manager. Every method raises `OperatorError`, which says how to do without."""

    def __init__(
        self,
        broker: AdministeredBroker,
        *,
        timeout: float = TIMEOUT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = broker.management_url
        self._user = broker.login[0]
        # A proxy from the environment would be asked for this machine's own loopback address.
        self._http = httpx.AsyncClient(
            base_url=broker.management_url,
            auth=broker.login,
            timeout=timeout,
            trust_env=False,
            transport=transport,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def get(self, *path: str) -> Any:
        """None where there is no such thing."""
        answer = await self._ask("GET", path)
        return None if answer is None else answer.json()

    async def put(self, *path: str, body: Mapping[str, object]) -> None:
        await self._ask("PUT", path, body)

    async def delete(self, *path: str) -> bool:
        """Whether it was there."""
        return await self._ask("DELETE", path) is not None

    async def _ask(
        self, method: str, path: tuple[str, ...], body: Mapping[str, object] | None = None
    ) -> httpx.Response | None:
        where = "/api/" + "/".join(quote(part, safe="") for part in path)
        try:
            answer = await self._http.request(method, where, json=body)
        except httpx.HTTPError as exc:
            why = str(exc) or type(exc).__name__
            raise OperatorError(
                f"The management API at {self._url} cannot be reached ({why}): {HOW_ELSE}"
            ) from exc
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise OperatorError(
                f"The management API at {self._url} refuses the user {self._user}, or the password:"
                f" {HOW_ELSE}"
            )
        if answer.status_code == httpx.codes.NOT_FOUND and method != "PUT":
            return None
        if not answer.is_success:
            raise OperatorError(
                f"The management API at {self._url} answers {answer.status_code} to {method} {where}:"
                f" {answer.text[:300]}. The user {self._user} has to be an administrator, and the virtual"
                f" host has to exist: {HOW_ELSE}"
            )
        return answer
