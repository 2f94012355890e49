"""A producer that is quick enough to be no part of what is measured: HTTP/1.1 over bare streams."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

__all__ = ["Answer", "submit_all"]

CONNECTIONS = 32


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to `POST /tasks/submit`, in the place of its request."""

    status: int
    body: dict[str, Any]
    seconds: float


async def submit_all(
    base_url: str, bodies: Sequence[dict[str, Any]], *, connections: int = CONNECTIONS
) -> list[Answer]:
    """Submit ``bodies`` over keep-alive connections, one request at a time on each."""
    address = urlsplit(base_url)
    answers: list[Answer | None] = [None] * len(bodies)
    todo = iter(range(len(bodies)))

    async def produce() -> None:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            await _requests(reader, writer, bodies, answers, todo)
        finally:
            writer.close()
            await writer.wait_closed()

    await asyncio.gather(*(produce() for _ in range(min(connections, len(bodies)))))
    return [answer for answer in answers if answer is not None]


async def _requests(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    bodies: Sequence[dict[str, Any]],
    answers: list[Answer | None],
    todo: Iterator[int],
) -> None:
    for number in todo:
        content = json.dumps(bodies[number]).encode()
        head = (
            "POST /tasks/submit HTTP/1.1\r\nHost: localhost\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        began = time.perf_counter()
        writer.write(head.encode() + content)
        status, body = await _answer(reader)
        answers[number] = Answer(status, body, time.perf_counter() - began)


async def _answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, Any]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *fields = head.split("\r\n")
    lengths = [
        int(field.split(":")[1]) for field in fields if field.lower().startswith("content-length:")
    ]
    body: dict[str, Any] = json.loads(await reader.readexactly(lengths[0]))
    return int(first.split()[1]), body
