"""A producer that is quick enough to be no part of what is measured: HTTP/1.1 over bare sockets."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

__all__ = ["CONNECTIONS", "Body", "submit_for", "submit_one", "submit_paced", "task_body"]

CONNECTIONS = 32

Body = Callable[[], bytes]
"""Makes the body of the next request."""

_SENT = b"1234567890.123456"


def task_body(
    *, priority: str = "normal", seconds: float = 0, bytes_: int = 200, capability: str = ""
) -> Body:
    """A submission whose `task_data` has ``bytes_`` bytes and tells when it was sent. It asks for the
    ``capability``, if that is given.
    """
    data = {"task_type": "work", "sent": float(_SENT), "seconds": seconds, "text": ""}
    data["text"] = "x" * (bytes_ - len(json.dumps(data)))
    requirements = {"capabilities": [capability]} if capability else {}
    content = {"task_data": data, "priority": priority, "requirements": requirements}
    whole = json.dumps(content).encode()
    before, after = whole.split(_SENT)
    return lambda: b"%b%.6f%b" % (before, time.time(), after)


async def submit_for(
    base_url: str, body: Body, *, seconds: float, headers: Mapping[str, str] | None = None
) -> tuple[float, list[float]]:
    """As many tasks as go in ``seconds``: tasks a second, and the seconds that each took."""
    until = time.perf_counter() + seconds

    def due(_: int) -> float | None:
        return 0 if time.perf_counter() < until else None

    began = time.perf_counter()
    took = await _submit(base_url, body, due, headers=headers)
    return len(took) / (time.perf_counter() - began), took


async def submit_paced(base_url: str, body: Body, *, rate: float, seconds: float) -> list[float]:
    """``rate`` tasks a second; the seconds that each took."""
    began = time.perf_counter()
    count = int(rate * seconds)
    return await _submit(base_url, body, lambda n: began + n / rate if n < count else None)


async def submit_one(base_url: str, body: Body) -> float:
    """The seconds that it took."""
    (took,) = await _submit(base_url, body, lambda n: 0 if n == 0 else None, connections=1)
    return took


async def _submit(
    base_url: str,
    body: Body,
    due: Callable[[int], float | None],
    *,
    connections: int = CONNECTIONS,
    headers: Mapping[str, str] | None = None,
) -> list[float]:
    loop = asyncio.get_running_loop()
    address = urlsplit(base_url)
    host, port = address.hostname or "", address.port or 80
    lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    round_ = _Round(body, due, lines.encode())
    made = [
        await loop.create_connection(lambda: _Connection(round_, loop.create_future()), host, port)
        for _ in range(connections)
    ]
    for _, connection in made:
        connection.next()
    await asyncio.gather(*(connection.done for _, connection in made))
    return round_.took


class _Round:
    """What the connections share: one request after another, each at the time when it is ``due``."""

    def __init__(
        self, body: Body, due: Callable[[int], float | None], headers: bytes = b""
    ) -> None:
        self.body = body
        self.headers = headers
        self.took: list[float] = []
        self._due = due
        self._number = 0

    def next(self) -> float | None:
        due = self._due(self._number)
        self._number += 1
        return due


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, round_: _Round, done: asyncio.Future[None]) -> None:
        self._round = round_
        self.done = done
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def next(self) -> None:
        assert self._transport is not None
        due = self._round.next()
        if due is None:
            self._transport.close()
            self.done.set_result(None)
            return
        early = due - time.perf_counter()
        if early > 0:
            asyncio.get_running_loop().call_later(early, self._send)
        else:
            self._send()

    def _send(self) -> None:
        assert self._transport is not None
        body = self._round.body()
        head = (
            b"POST /tasks/submit HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n%b\r\n" % (len(body), self._round.headers)
        )
        self._began = time.perf_counter()
        self._transport.write(head + body)

    def data_received(self, data: bytes) -> None:
        received = self._received = self._received + data
        head, found, content = received.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(content) < length:
            return
        self._received = b""
        if not head.startswith(b"HTTP/1.1 200"):
            self.done.set_exception(AssertionError(received.decode(errors="replace")))
            return
        self._round.took.append(time.perf_counter() - self._began)
        self.next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or AssertionError("the server closed the connection"))
