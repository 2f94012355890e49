"""Refuses request bodies that are too large, before they are in memory, compressed, or cut short.

A body that is not as long as announced lost something on the way, and must not be taken for a whole one.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coordinator.errors import PayloadTooLarge

from .error_table import answer_error

__all__ = ["BodyLimit"]


class BodyLimit:
    """Limits the bytes of a body: counts what arrives, whatever was announced, in chunks too."""

    def __init__(
        self, app: ASGIApp, *, max_bytes: int, larger: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        """``max_bytes`` of a body; ``larger`` are the limits of single paths, in bytes."""
        self._app = app
        self._max_bytes = max_bytes
        self._larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._larger.get(scope["path"], self._max_bytes)
        announced, encoding, transfer = _announced(scope)
        if announced is not None and announced > most:
            await answer_error(PayloadTooLarge(_sentence(most)), "")(scope, receive, send)
            return
        if transfer not in _TRANSFERRED:
            await answer_error(HTTPException(501, _TRANSFER.format(transfer[:40])), "")(
                scope, receive, send
            )
            return
        if encoding not in _READ_AS_IT_IS and (announced or transfer):
            await answer_error(HTTPException(415, _ENCODED.format(encoding[:40])), "")(
                scope, receive, send
            )
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            # The framework lets only this exception through from the reading of a body.
            if received > most:
                raise HTTPException(413, _sentence(most))
            whole = message["type"] == "http.request" and not message.get("more_body", False)
            if whole and announced not in (None, received):
                raise HTTPException(400, _LOST.format(announced, received))
            return message

        await self._app(scope, counted, send)


def _sentence(most: int) -> str:
    return f"The request body is larger than {most} bytes"


_READ_AS_IT_IS = ("", "identity")

_TRANSFERRED = ("", "chunked")

_TRANSFER = "Transfer-Encoding: {} is not read here: send the body as it is, or in chunks"

_ENCODED = "A body with Content-Encoding: {} is not read here: send it as it is, without the header"

_LOST = "The body was announced with {} bytes, and {} arrived: nothing was done, send it again"


def _announced(scope: Scope) -> tuple[int | None, str, str]:
    """The length of the body, where it is announced, its encoding, and that for the way."""
    length = None
    told: dict[bytes, set[str]] = {b"content-encoding": set(), b"transfer-encoding": set()}
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            length = int(value)
        elif name in told:
            words = value.decode("latin-1").lower().split(",")
            told[name].update(word.strip() for word in words)
    encoding, transfer = (", ".join(sorted(words - {""})) for words in told.values())
    return length, encoding, transfer
