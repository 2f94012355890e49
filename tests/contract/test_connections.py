"""What clients write on a connection, byte by byte, against the real server on a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from coordinator.recovery.task_redriver import RedrivenMany
from coordinator.web_server.http_server import serving
from coordinator.web_server.server_socket import bind

from .error_bodies import own_of
from .fakes import Fakes, a_task, an_agent

OFFERS = {
    "a client of Java": (
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n"
    ),
    "curl --http2": (
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    ),
    "another protocol": b"connection: keep-alive, upgrade\r\nUPGRADE: TLS/1.3, websocket\r\n",
}


@dataclass
class Answer:
    """One, read off the connection."""

    status: int
    headers: dict[str, str]
    body: Any


class Client:
    """Writes what it is told to and reads answers."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def sends(self, *parts: bytes) -> None:
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()

    async def answer(self) -> Answer:
        async with asyncio.timeout(20):
            told = await self._reader.readuntil(b"\r\n\r\n")
        head = told.decode("latin-1").split("\r\n")
        lines = [line.split(": ", 1) for line in head[1:] if line]
        headers = {name.lower(): value for name, value in lines}
        body = await self._reader.readexactly(int(headers["content-length"]))
        return Answer(int(head[0].split()[1]), headers, json.loads(body) if body else None)

    async def rest(self) -> bytes:
        """What comes until the server hangs up."""
        return await self._reader.read()


@pytest.fixture
def fakes() -> Fakes:
    fakes = Fakes()
    fakes.tasks["t"] = a_task(state="dead")
    fakes.agents["a"] = an_agent(agent_id="a")
    return fakes


@pytest.fixture
async def client(fakes: Fakes) -> AsyncIterator[Client]:
    listener = bind("127.0.0.1", 0)
    async with serving(fakes.app(), listener):
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        yield Client(reader, writer)
        writer.close()


def request(
    path: str, body: dict[str, Any] | None = None, *, more: bytes = b"", method: str = "POST"
) -> bytes:
    content = b"" if body is None else json.dumps(body).encode()
    length = b"" if body is None else b"Content-Length: %d\r\n" % len(content)
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n".encode()
    return head + more + length + b"\r\n" + content


def chunked(path: str, body: dict[str, Any], *, more: bytes = b"") -> bytes:
    content = json.dumps(body).encode()
    head = request(path, more=more + b"Transfer-Encoding: chunked\r\n")
    chunks = (content[:5], content[5:], b"")
    return head + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)


DRY = {"dry_run": True, "error_type": "ValueError"}


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
@pytest.mark.parametrize("write", [request, chunked])
async def test_a_request_that_offers_another_protocol_keeps_its_body(
    client: Client, fakes: Fakes, offer: bytes, write: Any
) -> None:
    await client.sends(write("/tasks/dead/redrive", DRY, more=offer))
    told = await client.answer()
    assert (told.status, told.body["dry_run"], told.body["redriven"]) == (200, True, 0)
    assert fakes.filters[0].error_type == "ValueError"
    assert "upgrade" not in told.headers

    await client.sends(write("/tasks/t/cancel", {"reason": "why"}, more=offer))
    assert (await client.answer()).status == 200
    assert fakes.reasons == ["why"]

    await client.sends(write("/tasks/t/retry", {"task_data": {"n": 1}}, more=offer))
    assert (await client.answer()).status == 200
    assert fakes.edits == [{"n": 1}]

    await client.sends(write("/agents/a/heartbeat", {"status": "busy"}, more=offer))
    assert (await client.answer()).status == 200
    assert fakes.beats == [("a", "busy", None)]

    await client.sends(write("/tasks/submit", {"task_data": {"n": 1}}, more=offer))
    assert (await client.answer()).status == 200
    assert fakes.submitted[0].task_data == {"n": 1}


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
async def test_requests_that_follow_an_offer_at_once_are_answered_in_their_order(
    client: Client, offer: bytes
) -> None:
    plain = request("/tasks/t", method="GET")
    await client.sends(
        request("/tasks/dead/redrive", DRY, more=offer)
        + plain
        + request("/tasks/t", method="GET", more=offer)
        + chunked("/tasks/dead/redrive", DRY, more=offer)
        + plain
    )
    answers = [await client.answer() for _ in range(5)]
    assert [told.status for told in answers] == [200] * 5
    assert [told.body.get("dry_run") for told in answers] == [True, None, None, True, None]


async def test_an_offer_that_comes_in_pieces_keeps_its_body(client: Client) -> None:
    whole = request("/tasks/dead/redrive", DRY, more=OFFERS["a client of Java"])
    for byte in whole:
        client.writer.write(bytes([byte]))
        await asyncio.sleep(0)
    assert (await client.answer()).body["dry_run"] is True


async def test_an_offer_does_not_keep_a_connection_open_that_the_client_wants_closed(
    client: Client,
) -> None:
    closing = b"Connection: close, Upgrade\r\nUpgrade: h2c\r\n"
    await client.sends(request("/tasks/dead/redrive", DRY, more=closing))
    assert (await client.answer()).headers["connection"] == "close"
    assert await client.rest() == b""


@pytest.mark.parametrize(
    "nonsense", [b"NONSENSE\r\n\r\n", b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"]
)
async def test_what_is_no_request_is_a_400_with_a_detail(client: Client, nonsense: bytes) -> None:
    await client.sends(nonsense)
    told = await client.answer()
    assert (told.status, told.headers["content-type"]) == (400, "application/json")
    assert own_of(told.body) == {"detail": "This is not a request of HTTP/1.1 that can be read"}
    assert await client.rest() == b""


@pytest.mark.parametrize("offer", [b"", *OFFERS.values()], ids=["none", *OFFERS])
async def test_a_client_that_closes_its_side_after_its_requests_is_answered(
    client: Client, offer: bytes
) -> None:
    await client.sends(
        request("/tasks/dead/redrive", DRY, more=offer) + request("/tasks/t", method="GET")
    )
    client.writer.write_eof()
    assert (await client.answer()).body["dry_run"] is True
    assert (await client.answer()).status == 200
    assert await client.rest() == b""


@pytest.mark.parametrize("offer", [b"", *OFFERS.values()], ids=["none", *OFFERS])
async def test_a_request_whose_body_ends_early_is_not_carried_out(
    client: Client, fakes: Fakes, offer: bytes
) -> None:
    whole = request("/tasks/dead/redrive", DRY, more=offer)
    await client.sends(whole[:-5])
    client.writer.write_eof()
    assert await client.rest() == b""
    assert fakes.filters == []


UNTOLD = b'{"dry_run": true}'
"""A body whose length its request does not tell."""


@pytest.mark.parametrize(
    "head",
    [
        b"POST /tasks/dead/redrive HTTP/1.1\r\nHost: localhost\r\n",
        b"POST /tasks/dead/redrive HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n",
        b"POST /tasks/dead/redrive HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n",
        b"POST /tasks/dead/redrive HTTP/1.0\r\n",
        b"POST /tasks/dead/redrive HTTP/1.1\r\n" + OFFERS["another protocol"],
    ],
    ids=["kept open", "to be closed", "of no length", "HTTP/1.0", "with an offer"],
)
async def test_a_body_of_unknown_length_is_not_taken_for_no_body(
    client: Client, fakes: Fakes, head: bytes
) -> None:
    await client.sends(head + b"Content-Type: application/json\r\n\r\n" + UNTOLD)
    told = await client.answer()
    assert (told.status, told.headers["connection"]) == (400, "close")
    assert told.body["detail"].startswith("Nothing was done, because what follows the request is")
    assert await client.rest() == b""
    assert fakes.filters == []


async def test_none_of_the_requests_is_carried_out_that_come_in_one_piece_with_what_is_none(
    client: Client, fakes: Fakes
) -> None:
    await client.sends(
        request("/tasks/t/cancel", {"reason": "x"}) + request("/tasks/dead/redrive") + UNTOLD
    )
    assert (await client.answer()).status == 400
    assert await client.rest() == b""
    assert (fakes.reasons, fakes.filters) == ([], [])


async def test_a_request_that_runs_already_is_answered_whatever_comes_after_it(
    client: Client, fakes: Fakes
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(*_: object, **__: object) -> RedrivenMany:
        begun.set()
        await go_on.wait()
        return RedrivenMany(matched=3, redriven=3, last_due=None)

    fakes.redrive_dead = slowly  # type: ignore[method-assign]
    await client.sends(request("/tasks/dead/redrive", {}))
    await begun.wait()
    await client.sends(b"NONSENSE\r\n\r\n")
    for _ in range(10):  # the server is in this loop, and reads what is there
        await asyncio.sleep(0)
    go_on.set()
    told = await client.answer()
    assert (told.status, told.body["redriven"]) == (200, 3)


async def test_an_empty_line_after_a_body_is_nothing(client: Client) -> None:
    closing = b"Connection: close\r\n"
    await client.sends(request("/tasks/dead/redrive", DRY, more=closing) + b"\r\n")
    assert (await client.answer()).body["dry_run"] is True


async def test_what_follows_a_body_in_chunks_is_not_of_the_head(
    client: Client, fakes: Fakes
) -> None:
    whole = chunked("/tasks/submit", {"task_data": {}}).removesuffix(b"\r\n")
    for trailer in (b"Content-Encoding: gzip", b"Idempotency-Key: k"):
        await client.sends(whole + trailer + b"\r\n\r\n")
        assert (await client.answer()).status == 200
    assert [one.task_id for one in fakes.submitted] == [None, None]


@pytest.mark.parametrize("encoding", [b"gzip, chunked", b"deflate,  chunked"])
async def test_a_body_that_is_compressed_on_its_way_is_a_501_that_says_so(
    client: Client, fakes: Fakes, encoding: bytes
) -> None:
    whole = chunked("/tasks/dead/redrive", DRY)
    await client.sends(whole.replace(b"coding: chunked", b"coding: " + encoding))
    told = await client.answer()
    assert told.status == 501
    assert told.body["detail"].endswith("is not read here: send the body as it is, or in chunks")
    assert fakes.filters == []


async def test_two_hosts_are_refused_and_so_is_none(client: Client) -> None:
    await client.sends(b"GET /tasks/t HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n")
    told = await client.answer()
    assert (told.status, told.body["detail"][:36]) == (400, "The request has more than one header")
    await client.sends(b"GET /tasks/t HTTP/1.1\r\n\r\n")
    told = await client.answer()
    assert (told.status, told.body["detail"][:26]) == (400, "The request has no header ")
    await client.sends(b"GET /tasks/t HTTP/1.0\r\n\r\n")  # which knows none
    assert (await client.answer()).status == 200


async def test_a_probe_that_speaks_http_1_0_needs_no_host(client: Client) -> None:
    await client.sends(b"GET /tasks/t HTTP/1.0\r\n\r\n")
    assert (await client.answer()).status == 200
