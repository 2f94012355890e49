"""`coordinator serve`: the service alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from coordinator import collector
from coordinator.bootstrap import Coordinator, running
from coordinator.server import address, inherited, listen, serving
from coordinator.settings import Settings

__all__ = ["serve"]

JOINS_WITHIN = 10.0
"""Seconds after which a worker answers for itself, if only to say that it is not ready."""


async def serve(
    settings: Settings, say: Callable[[str], None], *, socket_fd: int | None = None
) -> None:
    """Against the broker that the settings name; ends only by cancellation.

    A worker is given the ``socket_fd`` that its parent listens on, and the parent tells where.
    """
    if socket_fd is None:
        listener = listen(settings.http_host, settings.http_port)
    else:
        listener = inherited(socket_fd)
    async with running(settings) as coordinator:
        if socket_fd is not None:
            await _ready_to_join(coordinator)
        async with serving(coordinator.app, listener):
            collector.resume()
            if socket_fd is None:
                say(f"listening on {address(listener)}")
            await coordinator.failed()


async def _ready_to_join(coordinator: Coordinator) -> None:
    """The other workers take the requests until this one can answer them as well."""
    try:
        async with asyncio.timeout(JOINS_WITHIN):
            await coordinator.ready()
    except TimeoutError:
        return
