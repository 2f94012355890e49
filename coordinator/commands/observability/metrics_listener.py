"""Opens a listener of its own for `GET /metrics` where the settings say so, and serves the page there."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator

from coordinator.api import guarded
from coordinator.bootstrap.api_application import edge_rules
from coordinator.commands.ports import Says
from coordinator.metrics.metrics_page import MetricsPage
from coordinator.settings import Settings
from coordinator.web_server.http_server import serving
from coordinator.web_server.metrics_application import metrics_application
from coordinator.web_server.server_socket import METRICS, address, bind

__all__ = ["metrics_listener", "say_where_metrics_are", "serving_metrics"]


def metrics_listener(settings: Settings) -> socket.socket | None:
    """Bound, and to be closed by the caller; None where metrics have none. Raises `OperatorError`."""
    if not settings.metrics or settings.metrics_port is None:
        return None
    return bind(settings.metrics_host, settings.metrics_port, METRICS)


@contextlib.asynccontextmanager
async def serving_metrics(
    page: MetricsPage | None, listener: socket.socket | None, settings: Settings
) -> AsyncIterator[None]:
    """Answer scrapes on ``listener`` until the block is left; nothing happens without one. Whoever knows the
    service by a name of its own may scrape, and no page in a browser may by another.
    """
    if page is None or listener is None:
        yield
        return
    guarded_page = guarded(metrics_application(page.scrape), edge_rules(settings))
    async with serving(guarded_page, listener):
        yield


def say_where_metrics_are(listener: socket.socket | None, say: Says) -> None:
    """In the words of the other line about listening."""
    if listener is not None:
        say(f"metrics on {address(listener)}/metrics")
