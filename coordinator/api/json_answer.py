"""Writes answers as JSON in one pass, or around JSON that is there already, and has errors counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi.responses import JSONResponse, Response
from pydantic_core import to_json
from starlette.types import Receive, Scope, Send

__all__ = ["NOTE_ERROR", "ErrorAnswer", "JsonAnswer", "NotesError", "SplicedAnswer"]

NotesError = Callable[[int], None]
"""Called with the status of each answer that is an error, once for each request. Raises nothing."""

NOTE_ERROR = "coordinator.note_error"
"""Where the application leaves it in the scope of a request, before anything looks at that."""


class JsonAnswer(JSONResponse):
    """Writes a dictionary as JSON by pydantic's core: several times faster than `json`. Keeps the dictionary
    as ``content``.
    """

    content: Any = None

    def render(self, content: Any) -> bytes:
        self.content = content
        return to_json(content, inf_nan_mode="null")


class ErrorAnswer(JsonAnswer):
    """Is the answer to a request that ended in an error, whoever refused it. It is counted as it is sent, so
    that other requests pay nothing for it.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        note: NotesError | None = scope.get(NOTE_ERROR)
        if note is not None:
            note(self.status_code)
        await super().__call__(scope, receive, send)


class SplicedAnswer(Response):
    """Puts JSON that is large, and was never read, into an answer: it costs a copy, and holds nobody up."""

    media_type = "application/json"

    def __init__(
        self,
        before: dict[str, Any],
        name: str,
        shape: dict[str, Any],
        key: str,
        value: bytes,
        after: dict[str, Any],
    ) -> None:
        """``shape`` is ``name`` in the answer, between ``before`` and ``after``; ``value`` is its ``key``.
        None of the three is empty.
        """
        content = b"".join(
            (
                to_json(before)[:-1],
                b',"%b":' % name.encode(),
                to_json(shape, inf_nan_mode="null")[:-1],
                b',"%b":' % key.encode(),
                value,
                b"},",
                to_json(after)[1:],
            )
        )
        super().__init__(content)
