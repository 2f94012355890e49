"""Reads and writes the attributes of CloudEvents 1.0 in an AMQP message.

Binary mode has them as headers, of three spellings: ``cloudEvents_`` is AMQP's and this project's,
``cloudEvents:`` AMQP's other one, ``ce-`` Knative's for RabbitMQ, which percent-encodes texts. Structured
mode and batches have them in the body.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote, unquote

from pydantic_core import from_json

from coordinator.protocol.message import Message

__all__ = [
    "BATCH",
    "SPEC_VERSION",
    "STRUCTURED",
    "attributes",
    "data_of",
    "headers",
    "identifier",
    "is_batch",
    "is_structured",
    "named",
    "source",
]

BATCH = "application/cloudevents-batch+json"
"""The content type of several events in one message."""

STRUCTURED = "application/cloudevents+json"
"""The content type of one event with its attributes in the body, as it stands in a batch."""

SPEC_VERSION = "1.0"
_PREFIX = "cloudEvents_"
_ENCODED = "ce-"
_PREFIXES = (_PREFIX, "cloudEvents:", _ENCODED)

LONGEST_ID = 200

_WHOLE = 2**53
"""Below it a double is the whole number that was meant."""


def attributes(
    *, event_id: str, event_type: str, author: str | None, subject: str, time: Any
) -> dict[str, Any]:
    """Of an event of this project. A subject that is empty is none: the standard has it so."""
    found = {
        "specversion": SPEC_VERSION,
        "id": event_id,
        "type": event_type,
        "source": source(author),
        "subject": subject,
        "time": time,
    }
    if not subject:
        del found["subject"]
    return found


def source(author: str | None) -> str:
    """A URI reference: what may not stand in one is percent-encoded."""
    return "/coordinator" if author is None else f"/agents/{quote(author, safe='~:@!$()*+,;=')}"


def headers(found: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes in binary mode."""
    return {f"{_PREFIX}{name}": value for name, value in found.items()}


def named(message: Message, name: str, otherwise: Any) -> Any:
    """An attribute in binary mode, whichever way its header is spelt. A byte array that is a text is
    that text; an empty text says nothing.
    """
    for prefix in _PREFIXES:
        value = _text(message.headers.get(f"{prefix}{name}"))
        if value is not None and value != "":
            return unquote(value) if prefix == _ENCODED and isinstance(value, str) else value
    return otherwise


def _text(value: Any) -> Any:
    if not isinstance(value, bytes | bytearray):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def is_batch(message: Message) -> bool:
    return _media_type(message) == BATCH


def is_structured(message: Message) -> bool:
    return _media_type(message) == STRUCTURED


def _media_type(message: Message) -> str:
    """Without its parameters, such as `charset`. The JavaScript SDK has it among the headers."""
    told = message.content_type or _text(message.headers.get("content-type"))
    return told.partition(";")[0].strip().lower() if isinstance(told, str) else ""


def data_of(item: Mapping[str, Any]) -> Any:
    """The data of an event in structured mode, where it may stand as base64. Raises ValueError."""
    if "data" not in item and isinstance(item.get("data_base64"), str):
        return from_json(base64.b64decode(item["data_base64"], validate=True))
    return item.get("data")


def identifier(value: Any) -> str | None:
    """An event's id; None for what is none. A whole number is its digits: some clients have no integers."""
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float) and abs(value) < _WHOLE and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return value if isinstance(value, str) and 1 <= len(value) <= LONGEST_ID else None
