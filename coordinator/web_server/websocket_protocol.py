"""Speaks WebSocket on a connection whose HTTP request asked for it: uvicorn's protocol over `websockets`.

Messages are not compressed: a window for each connection takes more memory than all else of it.
"""

from __future__ import annotations

import logging
from typing import Any

from pydantic_core import to_json
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Response
from websockets.server import ServerProtocol

from coordinator.api.error_bodies import STATUS_CODES, refusal_shape

from .connection_bounds import ConnectionBounds
from .unread_answer import UnreadAnswer

__all__ = ["WebSocketProtocol"]

_quiet = logging.getLogger(__name__)
_quiet.setLevel(logging.WARNING)  # what is below tells each query, with the credential in it


class _Handshake(ServerProtocol):
    """Refuses a handshake with the body that every error of the API has."""

    def reject(self, status: Any, text: str) -> Response:
        refusal = super().reject(status, text)
        if refusal.status_code in STATUS_CODES:
            sentence = (
                " ".join(text.split()) or f"The handshake is refused: {refusal.reason_phrase}"
            )
            refusal.body = to_json(refusal_shape(refusal.status_code, sentence))
            for name, value in (
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(refusal.body))),
            ):
                del refusal.headers[name]
                refusal.headers[name] = value
        return refusal


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """Takes a connection over from `HttpProtocol`, with the same bounds, as far as there is no request that
    could be late: a client that answers no ping is cut by uvicorn.
    """

    def __init__(self, *args: Any, bounds: ConnectionBounds, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = _quiet
        self.conn = _Handshake(max_size=self.config.ws_max_size, logger=_quiet)
        self._unread = UnreadAnswer(bounds.answer_seconds)

    def end_if_overdue(self, now: float) -> None:
        """End the connection where its client takes nothing of what it is sent; ``now`` is of the loop's
        clock.
        """
        if self._unread.is_overdue(self.transport.get_write_buffer_size(), now):
            self.transport.abort()

    async def send(self, message: Any) -> None:
        """As uvicorn does it, but that a handshake which is refused with an answer is no error."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True
