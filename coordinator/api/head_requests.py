"""Answers HEAD requests as GET, without the body, on every path that has a GET."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["HeadRequests", "wants_head_alone"]

_HEAD = "coordinator.head"
"""Where a request that was a HEAD says so."""


def wants_head_alone(scope: Scope) -> bool:
    """Whether the body of the answer is dropped: one that does not end would never be answered."""
    return _HEAD in scope


class HeadRequests:
    """Shows a HEAD to the application as a GET, and drops the body of its answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app({**scope, "method": "GET", _HEAD: True}, receive, without_body)
