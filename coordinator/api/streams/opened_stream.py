"""Opens the cursor of a stream as one of its caller's streams, and gives back what that takes, once."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from starlette.types import Scope

from coordinator.access.caller_quotas import CallerQuotas
from coordinator.api.access_control.authentication import spender
from coordinator.streaming.event_cursor import EventCursor

__all__ = ["opened_stream"]


async def opened_stream(scope: Scope, quotas: CallerQuotas, cursor: EventCursor[Any]) -> ExitStack:
    """``cursor`` is open. It is closed, and no stream of the caller any more, when what this returns is.
    Raises `TooManyRequests`, `StreamRefused` or `LedgerUnavailable`.
    """
    who = spender(scope)
    with ExitStack() as opened:
        quotas.open_stream(who)
        opened.callback(quotas.close_stream, who)
        await cursor.open()
        opened.callback(cursor.close)
        return opened.pop_all()
