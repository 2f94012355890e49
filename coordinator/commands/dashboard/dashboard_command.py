"""Serves the dashboard of a service that is reached over HTTP, behind the same guard as the API."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from coordinator.access.open_listening import check_listening, is_loopback
from coordinator.api import guarded
from coordinator.bootstrap import edge_rules
from coordinator.client import AsyncClient, ClientError, Misconfigured, NotAuthenticated, Tls
from coordinator.commands.ports import Says
from coordinator.dashboard import PATH, RemoteApi, create_dashboard
from coordinator.errors import OperatorError
from coordinator.settings import Settings
from coordinator.web_server.http_server import serving
from coordinator.web_server.server_options import ServerOptions
from coordinator.web_server.server_socket import address, bind

__all__ = ["DashboardOptions", "serve_dashboard"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardOptions:
    """Holds the options of `coordinator dashboard` that are no settings."""

    url: str
    """Of the API."""
    ca_file: str | None = None


async def serve_dashboard(settings: Settings, options: DashboardOptions, say: Says) -> None:
    """Serve it where the settings say; ends only by cancellation. Raises `OperatorError`."""
    try:
        api = RemoteApi(options.url, tls=Tls(ca_file=options.ca_file))
        client = api.client(None, None)
    except Misconfigured as exc:
        raise OperatorError(f"--url and --ca-file: {exc}") from exc
    if not is_loopback(settings.http_host):
        check_listening(
            settings.http_host,
            required=await _asks_for_keys(client, options.url),
            allow_open=settings.allow_open,
        )
    server = ServerOptions.of(settings)
    listener = bind(settings.http_host, settings.http_port)
    app = create_dashboard(api, root_path=settings.root_path)
    try:
        async with serving(guarded(app, edge_rules(settings)), listener, server):
            base = address(listener, tls=server.tls is not None)
            say(f"dashboard of {options.url} at {base}{settings.root_path}{PATH}/")
            await asyncio.Event().wait()
    finally:
        await api.close()


async def _asks_for_keys(client: AsyncClient, url: str) -> bool:
    """Whether the service does. Raises `OperatorError` where it does not answer."""
    async with client:
        try:
            await client.whoami()
        except NotAuthenticated:
            return True
        except ClientError as exc:
            raise OperatorError(
                f"Whether {url} asks for keys is not known, and without them whoever reaches these pages"
                f" could do everything: {exc}"
            ) from exc
    return False
