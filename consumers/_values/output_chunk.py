"""Encodes one chunk of partial output: a text, or what else is JSON."""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json

from coordinator.protocol.messages.task_output import MAX_CHUNK

from .result_encoding import NotJson, encoded

__all__ = ["encoded_chunk"]


def encoded_chunk(chunk: Any) -> bytes:
    """As JSON. Raises `ValueError` for what has no form in JSON, and for more than `MAX_CHUNK` bytes."""
    try:
        data = to_json(encoded(chunk)[0])
    except NotJson as exc:
        raise ValueError(f"emit a text or plain JSON ({exc.why}): {exc.advice}") from None
    if len(data) > MAX_CHUNK:
        raise ValueError(
            f"a chunk has {len(data)} bytes as JSON, and at most {MAX_CHUNK} are taken: emit it in pieces"
        )
    return data
