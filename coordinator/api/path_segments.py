"""Routes ids in paths as one segment each, whatever characters they have.

Servers decode a path before it is routed, so that the agent `a/b` in `/agents/a%2Fb/status` would
be taken for two segments. Here the slash of an id stays encoded until its segment was found.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from starlette.convertors import Convertor, register_url_convertor
from starlette.types import ASGIApp, Receive, Scope, Send

from coordinator.protocol.id_limits import AGENT_WORDS, TASK_WORDS

__all__ = ["AGENT", "SEGMENT", "TASK", "PathSegments", "routed_path"]

SEGMENT = "segment"
"""The convertor of an id in a route's path: `/agents/{agent_id:segment}`."""


class _Segment(Convertor[str]):
    regex = "[^/\\x00]+"  # no id has a NUL, and a database would refuse to look for it

    def convert(self, value: str) -> str:
        return unquote(value) if "%" in value else value

    def to_string(self, value: Any) -> str:
        return _protected(str(value))


def _no_word(words: frozenset[str]) -> str:
    return rf"(?!(?:{'|'.join(sorted(words))})$){_Segment.regex}"


class _Task(_Segment):
    regex = _no_word(TASK_WORDS)


class _Agent(_Segment):
    regex = _no_word(AGENT_WORDS)


TASK = "task"
AGENT = "agent"
"""The convertors of an id at the end of a path, where a word is about something else: of `GET /tasks/submit`
is to be told that this path has a POST, and not that there is no such task.
"""

register_url_convertor(SEGMENT, _Segment())
register_url_convertor(TASK, _Task())
register_url_convertor(AGENT, _Agent())


class PathSegments:
    """Gives the router a path in which slashes and percent signs within segments are encoded."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw: bytes | None = scope.get("raw_path")
        if raw and b"%" in raw:
            scope = {**scope, "path": routed_path(scope)}
        await self._app(scope, receive, send)


def routed_path(scope: Scope) -> str:
    """The path as the router is to see it."""
    raw: bytes | None = scope.get("raw_path")
    if not raw or b"%" not in raw:
        path: str = scope["path"]
        return path
    segments = raw.decode("latin-1").split("/")
    return "/".join(_protected(unquote(segment)) for segment in segments)


def _protected(segment: str) -> str:
    return segment.replace("%", "%25").replace("/", "%2F")
