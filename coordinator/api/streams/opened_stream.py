"""Opens a stream as one of its caller's streams, counted, and gives back what that takes, once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from starlette.types import Scope

from coordinator.api.access_control.authentication import spender
from coordinator.api.endpoint_services import EndpointServices
from coordinator.streaming.event_cursor import EventCursor
from coordinator.streaming.subscriber_counts import StreamKind

__all__ = ["counted_stream", "opened_stream"]


async def opened_stream(
    scope: Scope, services: EndpointServices, kind: StreamKind, cursor: EventCursor[Any]
) -> ExitStack:
    """``cursor`` is open. It is closed, and no stream of the caller any more, when what this returns is.
    Raises `TooManyRequests`, `StreamRefused` or `LedgerUnavailable`.
    """
    with ExitStack() as opened:
        opened.enter_context(counted_stream(scope, services, kind))
        await cursor.open()
        opened.callback(cursor.close)
        return opened.pop_all()


@contextmanager
def counted_stream(scope: Scope, services: EndpointServices, kind: StreamKind) -> Iterator[None]:
    """While the block lasts, the caller has one more stream. Raises `TooManyRequests`."""
    who = spender(scope)
    services.quotas.open_stream(who)
    try:
        with services.subscribers.counted(kind):
            yield
    finally:
        services.quotas.close_stream(who)
