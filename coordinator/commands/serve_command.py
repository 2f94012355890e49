"""Runs one process of `coordinator serve`: the service, or its part that serves or that projects, against a
broker that is named.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from dataclasses import dataclass

from coordinator.bootstrap import ANSWERS_WITHIN, Coordinator, Duty, running
from coordinator.metrics.group_file import GroupMember
from coordinator.settings import Settings, counted_apart
from coordinator.web_server.http_server import serving
from coordinator.web_server.server_options import ServerOptions
from coordinator.web_server.server_socket import address, bind, inherited
from coordinator.web_server.service_manager import tell_ready

from . import gc_tuning
from .observability.examined_service import examined_service
from .observability.metrics_listener import metrics_listener, say_where_metrics_are, serving_metrics
from .observability.traced_service import is_traced, traced_service
from .ports import Says

__all__ = ["Inherited", "project", "serve"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inherited:
    """Holds what a process is given by its parent, sockets by the numbers of open files."""

    socket_fd: int | None = None
    """The socket of the API."""
    metrics_fd: int | None = None
    """The socket of the metrics, where they have one."""
    activated: socket.socket | None = None
    """The socket of the API where the parent is the system's service manager, which knows nothing else of the
    service."""
    member: GroupMember | None = None
    """Where the processes of the service share what they count."""


NOTHING = Inherited()

logger = logging.getLogger(__name__)


async def serve(
    settings: Settings,
    say: Says,
    *,
    duty: str = Duty.ALL.value,
    inherits: Inherited = NOTHING,
    ready_within: float = ANSWERS_WITHIN,
) -> None:
    """Serve against the broker that the settings name; ends only by cancellation.

    Connections are refused until it can answer, or wait where the service manager holds the socket; no answer
    says that it is still starting. A worker
    is given the socket that its parent bound, and the parent tells where; where it is not ready within
    ``ready_within`` seconds, it answers all the same. ``duty`` is a `Duty`.
    """
    alone = inherits.socket_fd is None
    options = ServerOptions.of(settings)
    apart = counted_apart(settings)
    if alone and apart is not None:
        logger.warning("%s", apart)
    if inherits.socket_fd is None:
        listener = inherits.activated or bind(settings.http_host, settings.http_port)
        scraped = metrics_listener(settings)
    else:
        listener = inherited(inherits.socket_fd)
        scraped = None if inherits.metrics_fd is None else inherited(inherits.metrics_fd)
    async with (
        traced_service() as watched,
        running(
            settings,
            examined_service(watched, settings),
            duty=Duty(duty),
            member=inherits.member,
        ) as coordinator,
    ):
        if alone:
            await coordinator.ready_to_answer()
        else:
            await _ready_to_join(coordinator, ready_within)
        async with (
            serving(
                coordinator.app,
                listener,
                options,
                shared=not alone or inherits.activated is not None,
                traced=is_traced(watched),
                note_error=coordinator.note_error,
                leaving=coordinator.leave,
                stopping=coordinator.stop_streams,
            ),
            serving_metrics(coordinator.page, scraped, settings),
        ):
            gc_tuning.resume()
            tell_ready()
            if alone:
                say(f"listening on {address(listener, tls=options.tls is not None)}")
                say_where_metrics_are(scraped, say)
            await coordinator.failed()


async def project(settings: Settings, member: GroupMember | None = None) -> None:
    """Fold the log for other processes, which answer the requests; ends only by cancellation."""
    async with (
        traced_service() as watched,
        running(settings, watched, duty=Duty.PROJECTING, member=member) as coordinator,
    ):
        gc_tuning.resume()
        await coordinator.failed()


async def _ready_to_join(coordinator: Coordinator, within: float) -> None:
    """The other workers take the requests until this one can answer them as well, for a while."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within):
            await coordinator.ready()
