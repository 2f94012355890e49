"""Runs one process of `coordinator serve`: the service, or its part that serves or that projects, against a
broker that is named.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

from coordinator.bootstrap import ANSWERS_WITHIN, Coordinator, Duty, running
from coordinator.settings import Settings, counted_apart
from coordinator.web_server.http_server import serving
from coordinator.web_server.server_options import ServerOptions
from coordinator.web_server.server_socket import address, bind, inherited

from . import gc_tuning
from .ports import Says

__all__ = ["project", "serve"]

logger = logging.getLogger(__name__)


async def serve(
    settings: Settings,
    say: Says,
    *,
    duty: str = Duty.ALL.value,
    socket_fd: int | None = None,
    ready_within: float = ANSWERS_WITHIN,
) -> None:
    """Serve against the broker that the settings name; ends only by cancellation.

    Connections are refused until it can answer, and no answer says that it is still starting. A worker
    is given the ``socket_fd`` that its parent bound, and the parent tells where; where it is not ready within
    ``ready_within`` seconds, it answers all the same. ``duty`` is a `Duty`.
    """
    alone = socket_fd is None
    options = ServerOptions.of(settings)
    apart = counted_apart(settings)
    if alone and apart is not None:
        logger.warning("%s", apart)
    if socket_fd is None:
        listener = bind(settings.http_host, settings.http_port)
    else:
        listener = inherited(socket_fd)
    async with running(settings, duty=Duty(duty)) as coordinator:
        if alone:
            await coordinator.ready_to_answer()
        else:
            await _ready_to_join(coordinator, ready_within)
        async with serving(coordinator.app, listener, options):
            gc_tuning.resume()
            if alone:
                say(f"listening on {address(listener, tls=options.tls is not None)}")
            await coordinator.failed()


async def project(settings: Settings) -> None:
    """Fold the log for other processes, which answer the requests; ends only by cancellation."""
    async with running(settings, duty=Duty.PROJECTING) as coordinator:
        gc_tuning.resume()
        await coordinator.failed()


async def _ready_to_join(coordinator: Coordinator, within: float) -> None:
    """The other workers take the requests until this one can answer them as well, for a while."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within):
            await coordinator.ready()
