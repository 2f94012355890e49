"""What a connection may cost: how large a head may be, how late a client, and how many there may be.

False actors send without end, or nothing more; true ones are slow, or send what is just small enough.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from coordinator.web_server.connection_bounds import ConnectionBounds, most_connections
from coordinator.web_server.http_server import serving
from coordinator.web_server.server_options import ServerOptions
from coordinator.web_server.server_socket import bind

from .error_bodies import own_of
from .fakes import Fakes, a_task
from .test_connections import Client

Connects = Callable[[], Awaitable[Client]]

PATIENT = ConnectionBounds()

SOON = ConnectionBounds(head_seconds=0.2, body_seconds=0.2, answer_seconds=0.2, idle_seconds=1)

HOST = b"Host: localhost\r\n"
LEAST = PATIENT.head_bytes


@asynccontextmanager
async def serves(fakes: Fakes, bounds: ConnectionBounds) -> AsyncIterator[Connects]:
    listener = bind("127.0.0.1", 0)
    writers: list[asyncio.StreamWriter] = []

    async def connect() -> Client:
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writers.append(writer)
        return Client(reader, writer)

    async with serving(fakes.app(), listener, ServerOptions(bounds=bounds)):
        yield connect
        for writer in writers:
            writer.close()


@pytest.fixture
def fakes() -> Fakes:
    fakes = Fakes()
    fakes.tasks["t"] = a_task()
    return fakes


@pytest.fixture
async def patient(fakes: Fakes) -> AsyncIterator[Connects]:
    async with serves(fakes, PATIENT) as connect:
        yield connect


@pytest.fixture
async def soon(fakes: Fakes) -> AsyncIterator[Connects]:
    async with serves(fakes, SOON) as connect:
        yield connect


def filled(size: int) -> bytes:
    """A head of that many bytes, without its last empty line, most of them in one header."""
    head = b"GET /tasks/t HTTP/1.1\r\n" + HOST + b"X-Filled: "
    return head + b"x" * (size - len(head))


SMALL_ENOUGH = [
    filled(LEAST - 100) + b"\r\n\r\n",
    b"GET /tasks/t HTTP/1.1\r\n" + HOST + b"X-Small: 1\r\n" * 4_000 + b"\r\n",
]

TOO_LARGE = {
    "one header": filled(LEAST + 200) + b"\r\n\r\n",
    "many headers": b"GET /tasks/t HTTP/1.1\r\n" + HOST + b"X-Small: 1\r\n" * 6_000 + b"\r\n",
    "a request line": b"GET /tasks/t?x=" + b"x" * LEAST + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "a header without an end": filled(LEAST + 200),
    "a header's name": b"GET /tasks/t HTTP/1.1\r\n" + HOST + b"X" * LEAST + b": 1\r\n\r\n",
    "one that offers another protocol": (
        filled(LEAST + 200) + b"\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    ),
}


@pytest.mark.parametrize("pieces", [1, 7])
@pytest.mark.parametrize("head", TOO_LARGE.values(), ids=TOO_LARGE)
async def test_a_head_that_is_too_large_is_a_431(
    patient: Connects, head: bytes, pieces: int
) -> None:
    client = await patient()
    size = -(-len(head) // pieces)
    for at in range(0, len(head), size):
        client.writer.write(head[at : at + size])
        await asyncio.sleep(0)
    told = await client.answer()
    assert (told.status, told.headers["connection"]) == (431, "close")
    assert own_of(told.body)["detail"].startswith(
        "Request line and headers are larger than 65536 bytes"
    )


@pytest.mark.parametrize("head", SMALL_ENOUGH, ids=["one header", "many headers"])
async def test_a_head_that_is_just_small_enough_is_read(patient: Connects, head: bytes) -> None:
    client = await patient()
    await client.sends(head)
    assert (await client.answer()).status == 200
    for at in range(0, len(head), 10_000):
        await client.sends(head[at : at + 10_000])
    assert (await client.answer()).status == 200


async def test_a_large_body_before_it_does_not_count_to_the_next_head(
    patient: Connects, fakes: Fakes
) -> None:
    body = b'{"task_data": {"text": "' + b"x" * 700_000 + b'"}}'
    head = b"POST /tasks/submit HTTP/1.1\r\n%bContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    client = await patient()
    await client.sends(
        head % (HOST, len(body)) + body + b"GET /tasks/t HTTP/1.1\r\nHo", b"st: localhost\r\n\r\n"
    )
    assert (await client.answer()).status == 200
    assert (await client.answer()).status == 200
    assert len(fakes.submitted) == 1


CHUNKED = (
    b"POST /tasks/dead/redrive HTTP/1.1\r\n"
    + HOST
    + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
)


@pytest.mark.parametrize(
    "around",
    [b"2;" + b"x" * 300_000, b"2\r\n{}\r\n0\r\n" + b"X-Trailer: 1\r\n" * 30_000],
    ids=["of a chunk", "behind the chunks"],
)
async def test_what_is_around_a_body_in_chunks_is_bounded_as_well(
    patient: Connects, fakes: Fakes, around: bytes
) -> None:
    client = await patient()
    await client.sends(CHUNKED)
    for at in range(0, len(around), 20_000):
        client.writer.write(around[at : at + 20_000])
        await asyncio.sleep(0.001)  # the server is in this loop, and reads what is there
    assert (await client.answer()).status == 431
    assert fakes.filters == []


async def test_a_body_in_chunks_of_a_byte_is_read(patient: Connects, fakes: Fakes) -> None:
    client = await patient()
    body = b'{"dry_run": true, "error_type": "%b"}' % (b"x" * 200)
    await client.sends(CHUNKED)
    for byte in body:
        await client.sends(b"1;%b\r\n%c\r\n" % (b"e" * 400, byte))
    await client.sends(b"0\r\nX-Trailer: 1\r\n\r\n")
    assert (await client.answer()).status == 200
    assert fakes.filters


LATE = {
    "nothing at all": b"",
    "an empty line": b"\r\n",
    "half a request line": b"GET /tas",
    "half a head": b"GET /tasks/t HTTP/1.1\r\n" + HOST,
    "half a further head": b"GET /tasks/t HTTP/1.1\r\n" + HOST + b"\r\nGET /tas",
}


@pytest.mark.parametrize("sent", LATE.values(), ids=LATE)
async def test_a_head_that_does_not_come_is_a_408(soon: Connects, sent: bytes) -> None:
    client = await soon()
    await client.sends(sent)
    if sent.count(b"\r\n\r\n"):
        assert (await client.answer()).status == 200
    told = await client.answer()
    assert (told.status, told.headers["connection"]) == (408, "close")
    assert own_of(told.body)["detail"].startswith("No whole request came within 0.2 seconds")
    assert await client.rest() == b""


async def test_a_head_that_comes_byte_by_byte_has_its_time_as_a_whole(soon: Connects) -> None:
    client = await soon()
    sending = asyncio.create_task(
        drip(client, b"GET /tasks/t HTTP/1.1\r\n" + HOST + b"X: " + b"x" * 5_000)
    )
    assert (await client.answer()).status == 408
    sending.cancel()


async def drip(client: Client, content: bytes, between: float = 0.02) -> None:
    for byte in content:
        if client.writer.is_closing():
            return
        client.writer.write(bytes([byte]))
        await asyncio.sleep(between)


POST = (
    b"POST %b HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
)


@pytest.mark.parametrize("path", [b"/tasks/submit", b"/tasks/submit/batch", b"/tasks/t/cancel"])
@pytest.mark.parametrize("come", [b"", b'{"task'], ids=["none of it", "some of it"])
async def test_a_body_that_stops_coming_is_a_408(
    soon: Connects, fakes: Fakes, path: bytes, come: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    client = await soon()
    await client.sends(POST % (path, 300) + come)
    told = await client.answer()
    assert (told.status, told.headers["connection"]) == (408, "close")
    assert own_of(told.body)["detail"].startswith(
        "Nothing was done, because nothing more of the body came"
    )
    assert await client.rest() == b""
    assert (fakes.submitted, fakes.reasons) == ([], [])
    assert [one for one in caplog.records if one.levelno >= logging.ERROR] == []


@pytest.mark.alone  # each byte comes a moment after the last, where nothing else holds it up
async def test_a_body_that_goes_on_coming_has_all_the_time_that_it_takes(
    soon: Connects, fakes: Fakes
) -> None:
    client = await soon()
    body = b'{"task_data": {"text": "' + b"x" * 30 + b'"}}'
    await client.sends(POST % (b"/tasks/submit", len(body)))
    await drip(client, body)  # several times as long as it may stand still
    assert (await client.answer()).status == 200
    assert len(fakes.submitted) == 1


async def hung_up_on(client: Client, *, while_sending: bytes) -> None:
    """Whoever sends on finds the connection closed, or reset."""
    sending = asyncio.create_task(drip(client, while_sending * 5_000))
    with contextlib.suppress(ConnectionResetError):
        assert await client.rest() == b""
    sending.cancel()


async def test_a_body_that_goes_on_after_its_answer_keeps_no_connection(soon: Connects) -> None:
    client = await soon()
    await client.sends(POST % (b"/tasks/submit", 100_000_000))
    assert (await client.answer()).status == 413
    await hung_up_on(client, while_sending=b"x")


async def test_empty_lines_after_an_answer_keep_no_connection(soon: Connects) -> None:
    client = await soon()
    await client.sends(b"GET /tasks/t HTTP/1.1\r\n" + HOST + b"\r\n")
    assert (await client.answer()).status == 200
    await hung_up_on(client, while_sending=b"\r\n")


async def test_a_request_that_runs_for_long_is_waited_for(soon: Connects, fakes: Fakes) -> None:
    go_on = asyncio.Event()
    told = fakes.task

    async def slowly(*given: object, **more: object) -> object:
        await go_on.wait()
        return await told(*given, **more)  # type: ignore[arg-type]

    fakes.task = slowly  # type: ignore[method-assign, assignment]
    client = await soon()
    await client.sends(b"GET /tasks/t HTTP/1.1\r\n" + HOST + b"\r\nGET /tas")
    other = await soon()
    assert (await other.answer()).status == 408, "by now those bounds have passed"
    await asyncio.sleep(SOON.head_seconds)
    go_on.set()
    assert (await client.answer()).status == 200
    assert (await client.answer()).status == 408, "the half of a head behind it"


async def test_a_client_that_takes_nothing_of_its_answer_is_cut_off(fakes: Fakes) -> None:
    fakes.tasks["t"] = a_task(task_data={"text": "x" * 3_000_000})
    listener = bind("127.0.0.1", 0)
    async with serving(fakes.app(), listener, ServerOptions(bounds=SOON)):
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(client, listener.getsockname())
            await loop.sock_sendall(client, b"GET /tasks/t HTTP/1.1\r\n" + HOST + b"\r\n")
            await asyncio.sleep(5 * SOON.answer_seconds)  # in which it takes nothing
            taken = 0
            with contextlib.suppress(ConnectionResetError):
                while piece := await loop.sock_recv(client, 65_536):
                    taken += len(piece)
            assert taken < 3_000_000


async def test_as_many_connections_as_may_be_are_served_and_the_next_is_a_503(fakes: Fakes) -> None:
    async with serves(fakes, ConnectionBounds(connections=3)) as connect:
        clients = [await connect() for _ in range(3)]
        for client in clients:
            await client.sends(b"GET /tasks/t HTTP/1.1\r\n" + HOST + b"\r\n")
            assert (await client.answer()).status == 200
        refused = await connect()
        told = await refused.answer()
        assert (told.status, told.headers["retry-after"], told.headers["connection"]) == (
            503,
            "1",
            "close",
        )
        assert own_of(told.body)["detail"].startswith(
            "As many connections are open as this process may have (3)"
        )
        assert await refused.rest() == b""
        clients[0].writer.close()
        await clients[0].writer.wait_closed()
        async with asyncio.timeout(20):
            while True:
                again = await connect()
                await again.sends(b"GET /tasks/t HTTP/1.1\r\n" + HOST + b"\r\n")
                if (await again.answer()).status == 200:
                    break


def test_there_are_never_more_connections_than_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = 1024
    monkeypatch.setattr("resource.getrlimit", lambda _: (limit, 1_048_576))
    assert most_connections(10_000) == 896
    assert most_connections(100) == 100
    limit = 256
    assert most_connections(10_000) == 192
    limit = -1
    assert most_connections(10_000) == 10_000
