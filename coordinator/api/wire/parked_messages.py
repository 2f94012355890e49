"""Writes parked messages, which came through the log and could not be read."""

from __future__ import annotations

import base64
from typing import Any, Literal

from pydantic import Field

from coordinator.api.wire.fields.answer_fields import AnswerModel, Instant, Success
from coordinator.registry.queries.parked_pages import ParkedMessage

from .fields.instants import iso
from .fields.page_fields import Count, NextCursor, Total

__all__ = ["ParkedAnswer", "ParkedPageAnswer", "ParkedShape", "ParkedWholeShape", "parked_shape"]


class ParkedShape(AnswerModel):
    position: int
    received_at: Instant
    reason: str = Field(examples=["ForgedIdentity: task.started of 'a' was published as …"])
    exchange: str
    routing_key: str
    author: str = Field(
        description="Whose word the routing key has, and the broker's user where it is told; or empty.",
        examples=["ada"],
    )
    size: int = Field(description="Of the whole body, in bytes.")
    sha256: str = Field(description="Of the whole body, in hexadecimal.")
    body: str = Field(
        description="Its beginning: 400 bytes in a list, else 64 KiB. In base64 where it is no text."
    )
    encoding: Literal["utf-8", "base64"]


class ParkedWholeShape(ParkedShape):
    properties: dict[str, Any] = Field(description="The message's properties and headers.")


class ParkedPageAnswer(AnswerModel):
    status: Success
    parked: list[ParkedShape]
    count: Count
    total: Total
    dropped: int = Field(description="Older ones that made room for others, ever.", examples=[0])
    next_cursor: NextCursor
    timestamp: Instant


class ParkedAnswer(AnswerModel):
    status: Success
    parked: ParkedWholeShape
    timestamp: Instant


def parked_shape(one: ParkedMessage, *, whole: bool) -> dict[str, Any]:
    """A parked message as `ParkedShape` describes it, or ``whole`` as `ParkedWholeShape` does."""
    text = _text(one.body, cut=not whole or one.size > len(one.body))
    shape = {
        "position": one.position,
        "received_at": iso(one.received_at),
        "reason": one.reason,
        "exchange": one.exchange,
        "routing_key": one.routing_key,
        "author": one.author,
        "size": one.size,
        "sha256": one.sha256,
        "body": base64.b64encode(one.body).decode() if text is None else text,
        "encoding": "base64" if text is None else "utf-8",
    }
    return shape | {"properties": one.properties} if whole else shape


def _text(body: bytes, *, cut: bool) -> str | None:
    """None where it is no text; where it was ``cut``, its last character may be broken."""
    for length in range(len(body), max(len(body) - 4, 0) if cut else len(body) - 1, -1):
        try:
            return body[:length].decode()
        except UnicodeDecodeError:
            continue
    return None if body else ""
