"""Decodes the AMQP frames of a delivery, header and body, into a `Message`.

Anybody may publish anything. A property that cannot be read is left out rather than raised about: the
message stays what it is to whoever judges it, and the connection, on which it would come again and again,
stays open.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from pamqp import decode

from coordinator.protocol.message import Message

__all__ = ["read_message", "read_short"]

_FLAGS = 12
"""Where the flags are, behind class, weight and the size of the body."""

_TEXT, _TIME = ord("S"), ord("T")
"""The types of a long string and of a timestamp in a table."""

_NESTED = frozenset(b"FA")
"""Those of a table and an array in a table."""

_UNREADABLE = object()

_flags = struct.Struct(">H")
_length = struct.Struct(">I")


def read_message(header: bytes, body: bytes) -> Message:
    """``header`` is the payload of the header's frame."""
    (flags,) = _flags.unpack_from(header, _FLAGS)
    at = _FLAGS + 2
    texts: dict[int, str] = {}
    headers: dict[str, Any] = {}
    persistent = False
    timestamp = None
    for flag in _PRESENT[flags]:
        if flag == 13:
            (size,) = _length.unpack_from(header, at)
            headers = _readable(_read_table, header[at + 4 : at + 4 + size]) or {}
            at += 4 + size
        elif flag == 12:
            persistent = header[at] == 2
            at += 1
        elif flag == 11:
            at += 1  # the priority, which is the queue's here
        elif flag == 6:
            timestamp = _readable(_read_timestamp, header[at : at + 8])
            at += 8
        else:
            texts[flag], at = read_short(header, at)
    expiration = texts.get(8, "")
    return Message(
        body=body,
        content_type=texts.get(15),
        headers=headers,
        persistent=persistent,
        correlation_id=texts.get(10),
        reply_to=texts.get(9),
        expiration=timedelta(milliseconds=int(expiration)) if expiration.isdigit() else None,
        message_id=texts.get(7),
        timestamp=timestamp,
        type=texts.get(5),
        user_id=texts.get(4),
    )


def _readable(read: Callable[[bytes], Any], data: bytes) -> Any:
    try:
        return read(data)
    except (ValueError, IndexError, struct.error):  # cut short
        return None
    except (OverflowError, OSError, RecursionError):  # a year of no calendar; tables without end
        return None


def _read_timestamp(data: bytes) -> datetime:
    return decode.timestamp(data)[1]


def _read_table(data: bytes) -> dict[str, Any]:
    """Headers, most of which are texts: those are read here, and the others by the driver's reader, with
    which a message of six headers takes half as long again. A time of no calendar is its bytes, and a table
    in the table that cannot be read is left out: the other headers are not lost over it.
    """
    found: dict[str, Any] = {}
    at = 0
    while at < len(data):
        end = at + 1 + data[at]
        name = _readable(bytes.decode, data[at + 1 : end])
        value, at = _read_text(data, end) if data[end] == _TEXT else _read_value(data, end)
        if name is not None and value is not _UNREADABLE:
            found[name] = value
    if at > len(data):
        raise ValueError
    return found


def _read_text(data: bytes, at: int) -> tuple[str | bytes, int]:
    """What is no text is its bytes."""
    (size,) = _length.unpack_from(data, at + 1)
    end = at + 5 + size
    text = data[at + 5 : end]
    try:
        return text.decode(), end
    except UnicodeDecodeError:
        return text, end


def _read_value(data: bytes, at: int) -> tuple[Any, int]:
    """A value behind its type, and where it ends."""
    kind = data[at]
    if kind == _TIME:
        end = at + 9
    elif kind in _NESTED:
        end = at + 5 + _length.unpack_from(data, at + 1)[0]
    else:
        taken, value = decode.embedded_value(data[at:])
        return value, at + taken
    read = _readable(decode.embedded_value, data[at:end])
    if read is not None:
        return read[1], end
    return (data[at + 1 : end] if kind == _TIME else _UNREADABLE), end


def read_short(data: bytes, at: int) -> tuple[str, int]:
    """A short string, and where it ends."""
    start = at + 1
    end = start + data[at]
    return data[start:end].decode("utf-8", "replace"), end


class _Present(dict[int, tuple[int, ...]]):
    """Which bits are set, most significant first: messages differ little in their flags."""

    def __missing__(self, flags: int) -> tuple[int, ...]:
        found = self[flags] = tuple(bit for bit in range(15, 0, -1) if flags >> bit & 1)
        return found


_PRESENT = _Present()
