"""Refuses request bodies that are too large, before they are in memory."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coordinator.errors import PayloadTooLarge

from .error_table import answer_error

__all__ = ["BodyLimit"]


class BodyLimit:
    """Counts what arrives, whatever the sender announced; a body that is sent in chunks too."""

    def __init__(
        self, app: ASGIApp, *, max_bytes: int, larger: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        """``larger`` are the limits of single paths."""
        self._app = app
        self._max_bytes = max_bytes
        self._larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._larger.get(scope["path"], self._max_bytes)
        if _announced(scope) > most:
            await answer_error(PayloadTooLarge(_sentence(most)), "")(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > most:
                # The framework lets only this exception through from the reading of a body.
                raise HTTPException(413, _sentence(most))
            return message

        await self._app(scope, counted, send)


def _sentence(most: int) -> str:
    return f"The request body is larger than {most} bytes"


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0
