"""Reaches the API for the dashboard: in the same process, or at a URL."""

from __future__ import annotations

from typing import Protocol

import httpx
from starlette.types import ASGIApp

from coordinator.client import AsyncClient, Retries, Tls

from .asgi_transport import AsgiTransport

__all__ = ["ApiInProcess", "ReachesApi", "RemoteApi"]

PATIENCE = Retries(total_seconds=2.0, answer_seconds=10.0)
"""A person waits for the page, and reloads it."""

CONNECTIONS = 200
"""To a remote API, of all viewers together: each page that is open holds one for its stream."""


class ReachesApi(Protocol):
    """Makes clients of the API: `ApiInProcess`, `RemoteApi`."""

    def client(self, key: str | None, address: tuple[str, int] | None) -> AsyncClient:
        """A client with this ``key``, for one request of the browser at ``address``; None for none. Opens
        nothing. Raises `Misconfigured` where the key cannot be sent.
        """

    async def close(self) -> None:
        """Close all connections."""


class ApiInProcess:
    """Calls the application of the API, past sockets, with the browser's address."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def client(self, key: str | None, address: tuple[str, int] | None) -> AsyncClient:
        return AsyncClient(
            "http://127.0.0.1",
            key=key or "",
            retries=PATIENCE,
            transport=AsgiTransport(self._app, address),
        )

    async def close(self) -> None:
        """There are none."""


class RemoteApi:
    """Calls the API at a URL. All viewers share its connections; each has a key of their own."""

    def __init__(self, url: str, *, tls: Tls | None = None) -> None:
        """Raises `Misconfigured` where the TLS files cannot be used."""
        self._url = url
        self._transport = httpx.AsyncHTTPTransport(
            verify=(tls or Tls()).context() if url.startswith("https") else False,
            trust_env=False,
            limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=20),
        )

    def client(self, key: str | None, address: tuple[str, int] | None) -> AsyncClient:
        """``address`` is not told: the service sees that of this process."""
        del address
        return AsyncClient(
            self._url, key=key or "", retries=PATIENCE, transport=_Shared(self._transport)
        )

    async def close(self) -> None:
        await self._transport.aclose()


class _Shared(httpx.AsyncBaseTransport):
    """Stays open when a client is closed that used it."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._transport.handle_async_request(request)

    async def aclose(self) -> None:
        """It is others', too."""
