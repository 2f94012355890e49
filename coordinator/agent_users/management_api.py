"""Asks RabbitMQ's management API as an administrator: reads, puts and deletes."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from coordinator.errors import OperatorError

__all__ = ["AdministratorApi"]

TIMEOUT = 10.0
"""Seconds for each answer."""

HOW_ELSE = (
    "give COORDINATOR_MANAGEMENT_URL as http://administrator:password@host:15672, or print the commands for"
    " rabbitmqctl with --rabbitmqctl"
)


class AdministratorApi:
    """An async context manager. Every method raises `OperatorError`, which says how to do without."""

    def __init__(
        self,
        url: str,
        login: tuple[str, str],
        *,
        timeout: float = TIMEOUT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = url
        self._user = login[0]
        # A proxy from the environment would be asked for this machine's own loopback address.
        self._http = httpx.AsyncClient(
            base_url=url, auth=login, timeout=timeout, trust_env=False, transport=transport
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
