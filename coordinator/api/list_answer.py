"""Writes answers with many things as JSON, piece by piece: other requests are served between two pieces, and
an answer ends where it has as many bytes as one may have. The page after it begins there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from fastapi.responses import Response
from pydantic_core import to_json

__all__ = ["MOST_BYTES", "ListAnswer", "written"]

_Thing = TypeVar("_Thing")

MOST_BYTES = 4 * 1024 * 1024
"""Of the things in one answer: some 7 000 agents as they usually are, or 200 tasks with long errors. One that
alone has more is told."""

PIECE = 64 * 1024
"""Bytes between which others have their turn: about a millisecond of work."""


async def written(
    things: Iterable[_Thing],
    shape: Callable[[_Thing], dict[str, Any]],
    most_bytes: int = MOST_BYTES,
) -> list[bytes]:
    """The first of ``things`` in their ``shape`` as JSON, as many as have ``most_bytes`` together, and one
    at least.
    """
    parts: list[bytes] = []
    size = since = 0
    for thing in things:
        part = to_json(shape(thing), inf_nan_mode="null")
        size += len(part)
        if parts and size > most_bytes:
            break
        parts.append(part)
        since += len(part)
        if since >= PIECE:
            since = 0
            await asyncio.sleep(0)
    return parts


class ListAnswer(Response):
    """Puts written things between the other fields of an answer."""

    media_type = "application/json"

    def __init__(
        self, before: dict[str, Any], name: str, parts: list[bytes], after: dict[str, Any]
    ) -> None:
        """``before`` and ``after`` the list ``name`` in the answer; neither is empty."""
        content = b"".join(
            (
                to_json(before)[:-1],
                b',"%b":[' % name.encode(),
                b",".join(parts),
                b"],",
                to_json(after)[1:],
            )
        )
        super().__init__(content)
