"""Answers `GET /metrics`, and nothing else, on a listener of its own: an ASGI application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pydantic_core import to_json
from starlette.types import ASGIApp, Receive, Scope, Send

from coordinator.api.error_bodies import refusal_shape

__all__ = ["metrics_application"]

PATH = "/metrics"

_ELSEWHERE = f"There is only GET {PATH} on this port: the API has another"


def metrics_application(scrape: Callable[[str], Awaitable[tuple[bytes, str]]]) -> ASGIApp:
    """``scrape`` is called with the `Accept` header of each request; it gives the page and its media type."""

    async def application(scope: Scope, _: Receive, send: Send) -> None:
        if scope["path"] != PATH or scope["method"] not in ("GET", "HEAD"):
            await _answer(send, 404, to_json(refusal_shape(404, _ELSEWHERE)), "application/json")
            return
        accept = dict(scope["headers"]).get(b"accept", b"").decode("latin-1")
        await _answer(send, 200, *await scrape(accept))

    return application


async def _answer(send: Send, status: int, body: bytes, media_type: str) -> None:
    headers = [
        (b"content-type", media_type.encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
