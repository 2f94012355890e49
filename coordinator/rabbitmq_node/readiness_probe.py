"""Asks a RabbitMQ node whether it is ready, and reads from its logs why it is not.

`rabbitmqctl await_startup` would tell too, after starting an Erlang VM of its own for two seconds.
"""

from __future__ import annotations

import asyncio
import base64
import re
from itertools import dropwhile
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
LONGEST_REASON = 300
"""Characters."""
BOOT_FAILED = "BOOT FAILED"
"""A heading of the server's. Below it stands why, up to an empty line."""
READ_BACK = 60
"""Lines of a log, which has those of former starts before."""
KNOWN_REASONS = (
    # A newer one asks for features that the older had not; an older one misses a table of its own.
    ("required feature flag not enabled", OTHER_VERSION),
    ("disabled_required_feature_flag", OTHER_VERSION),
    ("failed_to_initialize_feature_flags_registry", OTHER_VERSION),
    ("schema_integrity_check_failed", OTHER_VERSION),
    ("eaddrinuse", PORT_TAKEN),
    ("dist_port_already_used", PORT_TAKEN),
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


def reason_of_failure(output: Path, log: Path) -> str:
    """One line that says why a node stopped, from what it printed since it was started, or else from its
    log.
    """
    for printed in (_lines(output), _lines(log)[-READ_BACK:]):
        lines = [line for line in printed if not DECORATION.match(line)]
        for mark, reason in KNOWN_REASONS:
            if any(mark in line for line in lines):
                return reason
        if told := _told_of_its_boot(printed):
            return told[:LONGEST_REASON]
        for mark in ("error", "failed", ""):
            for line in lines:
                if mark in line.lower():
                    return line[:LONGEST_REASON]
    return "it said nothing"


def _told_of_its_boot(printed: list[str]) -> str:
    """What stands below the latest heading that the boot failed, as one line."""
    if BOOT_FAILED not in printed:
        return ""
    below = printed[len(printed) - printed[::-1].index(BOOT_FAILED) :]
    told: list[str] = []
    for line in dropwhile(DECORATION.match, below):
        if line:
            told.append(line)
        elif not told[-1].endswith(":"):  # which something is told behind
            break
    return " ".join(told)


def _lines(file: Path) -> list[str]:
    try:
        text = TERMINAL_TITLE.sub("", file.read_text(errors="replace"))
    except OSError:
        return []
    return [LOG_PREFIX.sub("", line).strip() for line in text.splitlines()]
