"""Asks a RabbitMQ node whether it is ready, and reads from its logs why it is not.

`rabbitmqctl await_startup` would tell too, after starting an Erlang VM of its own for two seconds.
"""

from __future__ import annotations

import asyncio
import base64
import re
from pathlib import Path

__all__ = ["OTHER_VERSION", "PORT_TAKEN", "amqp_version", "management_answers", "reason_of_failure"]

PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
VERSION_PROPERTY = b"\x07versionS"
"""A key of the server's properties and the type of its value, as AMQP encodes them."""

ANSWER_TIMEOUT = 5.0
"""Seconds."""

DECORATION = re.compile(r"^[\s=\-#*.|{}\[\]()<>_,]*$")
TERMINAL_TITLE = re.compile(r"\x1b\][^\x07]*\x07")
LOG_PREFIX = re.compile(r"^\S+ \S+ \[\w+\] <[\d.]+> ?")
PORT_TAKEN = "one of its ports was taken by another program meanwhile"
OTHER_VERSION = (
    "its data was written by another version of RabbitMQ, which this one cannot take over"
)
KNOWN_REASONS = (
    # A newer one asks for features that the older had not; an older one misses a table of its own.
    ("required feature flag not enabled", OTHER_VERSION),
    ("disabled_required_feature_flag", OTHER_VERSION),
    ("failed_to_initialize_feature_flags_registry", OTHER_VERSION),
    ("schema_integrity_check_failed", OTHER_VERSION),
    ("eaddrinuse", PORT_TAKEN),
    ("enospc", "the disk is full"),
    ("eacces", "it may not read or write one of its files"),
)


async def amqp_version(port: int) -> str | None:
    """The RabbitMQ version that greets on this port; None while nobody does."""
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(PROTOCOL_HEADER)
                header = await reader.readexactly(7)
                greeting = await reader.readexactly(int.from_bytes(header[3:7], "big"))
            finally:
                writer.close()
    except (OSError, asyncio.IncompleteReadError):  # a TimeoutError is an OSError
        return None
    _, found, rest = greeting.partition(VERSION_PROPERTY)
    if not found:
        return None
    length = int.from_bytes(rest[:4], "big")
    return rest[4 : 4 + length].decode()


async def management_answers(port: int, username: str, password: str) -> bool:
    """Whether the management API answers, and knows this user."""
    login = base64.b64encode(f"{username}:{password}".encode()).decode()
    request = f"GET /api/whoami HTTP/1.0\r\nAuthorization: Basic {login}\r\n\r\n"
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(request.encode())
                status = await reader.readline()
            finally:
                writer.close()
    except OSError:
        return False
    return b" 200 " in status


def reason_of_failure(*logs: Path) -> str:
    """One line that says why a node stopped, from the first of the logs that says anything."""
    for log in logs:
        lines = [line for line in _last_lines(log) if not DECORATION.match(line)]
        for mark, reason in KNOWN_REASONS:
            if any(mark in line for line in lines):
                return reason
        for mark in ("error", "failed", ""):
            for line in lines:
                if mark in line.lower():
                    return LOG_PREFIX.sub("", line).strip()[:300]
    return "it said nothing"


def _last_lines(log: Path, count: int = 60) -> list[str]:
    try:
        text = TERMINAL_TITLE.sub("", log.read_text(errors="replace"))
        return text.splitlines()[-count:]
    except OSError:
        return []
