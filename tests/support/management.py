"""RabbitMQ's management API, as far as tests need it."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit, urlunsplit

import httpx

from .trusted_certificates import trusted_certificates

__all__ = ["ManagementApi"]


class ManagementApi:
    """An async context manager. Counts that it tells lag by up to ten seconds: `Broker.depth`
    asks the queue itself."""

    def __init__(self, url: str, *, username: str, password: str) -> None:
        self.url = url
        self.username = username
        self.password = password
        self._http = httpx.AsyncClient(
            base_url=url,
            auth=(username, password),
            timeout=30,
            verify=trusted_certificates(),
            trust_env=False,
        )

    @classmethod
    def with_login(cls, url: str) -> Self:
        """From a URL that carries its user and password."""
        parts = urlsplit(url)
        bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        return cls(bare, username=parts.username or "guest", password=parts.password or "guest")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def get(self, *path: str, **query: str) -> Any:
        answer = await self._http.get(_joined(path), params=query)
        answer.raise_for_status()
        return answer.json()

    async def put(self, *path: str, body: Mapping[str, object] | None = None) -> None:
        answer = await self._http.put(_joined(path), json=body or {})
        assert answer.is_success, f"{answer.status_code} {answer.text}"

    async def delete(self, *path: str) -> None:
        """Delete what may be gone already."""
        answer = await self._http.delete(_joined(path))
        if answer.status_code != httpx.codes.NOT_FOUND:
            answer.raise_for_status()

    async def version(self) -> str:
        return str((await self.get("overview"))["rabbitmq_version"])

    async def create_vhost(self, name: str) -> None:
        await self.put("vhosts", name)
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        await self.put("permissions", name, self.username, body=everything)


def _joined(path: tuple[str, ...]) -> str:
    return "/api/" + "/".join(quote(part, safe="") for part in path)
