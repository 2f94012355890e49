"""Ids in paths: one segment each, whatever characters they have.

Servers decode a path before it is routed, so that the agent `a/b` in `/agents/a%2Fb/status` would
be taken for two segments. Here the slash of an id stays encoded until its segment was found.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from starlette.convertors import Convertor, register_url_convertor
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["SEGMENT", "PathSegments"]

SEGMENT = "segment"
"""The convertor of an id in a route's path: `/agents/{agent_id:segment}`."""


class _Segment(Convertor[str]):
    regex = "[^/]+"

    def convert(self, value: str) -> str:
        return unquote(value) if "%" in value else value

    def to_string(self, value: Any) -> str:
        return _protected(str(value))


register_url_convertor(SEGMENT, _Segment())


class PathSegments:
    """Gives the router the path with the slashes and percent signs of its segments encoded."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw: bytes | None = scope.get("raw_path")
        if raw and b"%" in raw:
            segments = raw.decode("latin-1").split("/")
            path = "/".join(_protected(unquote(segment)) for segment in segments)
            scope = {**scope, "path": path}
        await self._app(scope, receive, send)


def _protected(segment: str) -> str:
    return segment.replace("%", "%25").replace("/", "%2F")
