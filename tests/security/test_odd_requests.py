"""Requests as no browser and no library writes them, byte by byte, on a service that asks for keys: none gets
past host, origin or key, by the short way of a submission or the long one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from starlette.types import Message, Scope

from coordinator.access.roles import Role
from coordinator.api import EdgeRules, create_app
from coordinator.api.http_edge.request_guard import RequestGuard
from coordinator.api.http_edge.root_path import RootPath
from coordinator.web_server.http_server import serving
from coordinator.web_server.server_socket import bind
from tests.contract.fakes import Fakes, a_task
from tests.contract.test_connections import Answer, Client
from tests.support.api_keys import authenticator_with

Asks = Callable[..., Awaitable[Answer]]

TASK = b'{"task_data": {"task_type": "count"}}'

LEAN = b"Content-Type: application/json\r\n"
ORDINARY = LEAN + b"Expect-Nothing: 1\r\nIdempotency-Key: one\r\n"
BOTH_WAYS = pytest.mark.parametrize("way", [LEAN, ORDINARY], ids=["lean", "ordinary"])


class Service:
    """Asks for keys, on a real socket of both kinds of addresses of loopback."""

    def __init__(
        self, fakes: Fakes, secrets: dict[str, str], places: list[tuple[str, int]]
    ) -> None:
        self.fakes = fakes
        self.secrets = secrets
        self.places = places

    def key(self, holder: str = "producer") -> bytes:
        return b"Authorization: Bearer %b\r\n" % self.secrets[holder].encode()

    async def ask(
        self,
        line: bytes,
        *headers: bytes,
        host: bytes | None = b"localhost",
        body: bytes = b"",
        place: int = 0,
    ) -> Answer:
        """A request with this first line; the headers end with a line break each."""
        reader, writer = await asyncio.open_connection(*self.places[place])
        client = Client(reader, writer)
        told = b"" if host is None else b"Host: %b\r\n" % host
        length = b"Content-Length: %d\r\n" % len(body) if body else b""
        await client.sends(line + b"\r\n", told, *headers, length, b"\r\n", body)
        try:
            return await client.answer()
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def submit(
        self, *headers: bytes, target: bytes = b"/tasks/submit", host: bytes | None = b"localhost"
    ) -> Answer:
        line = b"POST %b HTTP/1.1" % target
        return await self.ask(line, *headers, host=host, body=TASK)


@asynccontextmanager
async def asking(rules: EdgeRules | None = None) -> AsyncIterator[Service]:
    fakes = Fakes()
    fakes.tasks["t"] = a_task(submitted_by="key:producer")
    authenticator, secrets = await authenticator_with(
        producer=(Role.PRODUCER,), reader=(Role.READER,), admin=(Role.ADMIN,)
    )
    app = create_app(fakes.services(authenticator=authenticator), rules or EdgeRules())
    listeners = [bind("127.0.0.1", 0), bind("::1", 0)]
    places = [listener.getsockname()[:2] for listener in listeners]
    async with serving(app, listeners[0]), serving(app, listeners[1]):
        yield Service(fakes, secrets, places)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async with asking() as service:
        yield service


@BOTH_WAYS
@pytest.mark.parametrize(
    ("host", "status"),
    [
        (b"LOCALHOST:9001", 200),
        (b"localhost.", 200),
        (b"localhost.:443", 200),
        (b"[::1]:9001", 200),
        (b"[0:0:0:0:0:0:0:1]", 200),
        (b"[::ffff:127.0.0.1]:80", 200),
        (b"127.0.0.2", 200),
        (b"", 421),
        (b"localhost..", 421),
        (b"[::1", 400),
        (b"[::1]evil.example", 400),
        (b"[fe80::1%25eth0]", 400),
        (b"localhost@evil.example", 400),
        (b"localhost, evil.example", 400),
        (b"localhost,evil.example", 421),
        (b"localhost:80:80", 400),
        (b"localhost:123456", 421),
        (b"2130706433", 421),
        (b"0x7f.1", 421),
        (b"127.1", 421),
        (b"localhost.evil.example.", 421),
    ],
)
async def test_a_host_is_known_in_its_own_spellings_alone(
    service: Service, way: bytes, host: bytes, status: int
) -> None:
    """One that there is somewhere is misdirected (421); what is none by its spelling is a bad request (RFC
    9112, 3.2).
    """
    answer = await service.submit(way, service.key(), host=host)
    assert answer.status == status, answer.body
    assert bool(service.fakes.submitted) == (status == 200)


@BOTH_WAYS
async def test_http_1_1_needs_a_host_and_1_0_does_not(service: Service, way: bytes) -> None:
    """Whoever speaks that is no browser."""
    for version, status in ((b"1.1", 400), (b"1.0", 200)):
        line = b"POST /tasks/submit HTTP/" + version
        answer = await service.ask(line, way, service.key(), host=None, body=TASK)
        assert answer.status == status, answer.body
        assert len(service.fakes.submitted) == (status == 200)


async def test_an_address_of_ipv6_is_its_own_name(service: Service) -> None:
    port = service.places[1][1]
    for host, status in ((b"[::1]:%d" % port, 200), (b"[::2]:%d" % port, 421)):
        answer = await service.ask(b"GET /tasks/t HTTP/1.1", service.key(), host=host, place=1)
        assert answer.status == status


@BOTH_WAYS
async def test_of_two_hosts_none_counts(service: Service, way: bytes) -> None:
    for second in (b"localhost", b"evil.example"):
        answer = await service.submit(way, service.key(), b"hOST: %b\r\n" % second)
        assert answer.status == 400
    assert service.fakes.submitted == []


@BOTH_WAYS
@pytest.mark.parametrize(
    "told",
    [
        b"Origin: null\r\n",
        b"Origin:\r\n",
        b"ORIGIN: https://evil.example\r\n",
        b"Origin: localhost\r\n",
        b"Origin: http://localhost.evil.example\r\n",
        b"Origin: http://user@localhost\r\n",
        b"Origin: http://localhost:9999\r\n",
        b"Origin: http://localhost\r\nOrigin: https://evil.example\r\n",
        b"Sec-Fetch-Site: cross-site\r\n",
        b"sec-fetch-site: Same-Origin\r\n",
        b"Sec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site\r\n",
        b"Sec-Fetch-Site: same-origin, cross-site\r\n",
        b"Origin: http://localhost\r\nSec-Fetch-Site: same-site\r\n",
    ],
)
async def test_a_page_elsewhere_acts_with_no_spelling_of_where_it_is(
    service: Service, way: bytes, told: bytes
) -> None:
    """Though a browser may have a key of the service, as a page does that is served with one."""
    for target in (b"/tasks/submit", b"/v1/tasks/submit", b"/tasks/%73ubmit", b"//tasks/submit"):
        answer = await service.submit(way, told, service.key(), target=target)
        assert answer.status == 403, (target, answer.body)
    for line in (b"POST /tasks/t/cancel", b"DELETE /tasks/t", b"PATCH /tasks", b"TRACE /"):
        answer = await service.ask(line + b" HTTP/1.1", told, service.key("admin"))
        assert answer.status == 403, line
    assert service.fakes.submitted == []
    assert service.fakes.asked_by == []


@BOTH_WAYS
@pytest.mark.parametrize(
    "target",
    [
        b"/tasks/submit",
        b"/tasks/%73ubmit",
        b"/%74asks/submit",
        b"/v1/tasks/submit",
        b"/v1/%74asks/submit",
        b"/tasks/submit?token=%b",
        b"/tasks/submit?x-api-key=%b",
        b"/tasks/submit/batch?token=%b",
        b"//tasks/submit",
        b"/v1/v1/tasks/submit",
        b"/tasks%2Fsubmit",
        b"/docs/assets/../../tasks/submit",
        b"/docs/assets/%2e%2e/%2e%2e/tasks/submit",
        b"/docs/assets/..%2f..%2ftasks/submit",
        b"/docs%2Fassets%2F..%2F..%2Ftasks/submit",
        b"/health/live/../../tasks/submit",
        b"/tasks/submit/../../health/live",
        b"/tasks/submit;/health/live",
        b"/tasks/submit#/health/live",
        b"http://localhost/tasks/submit",
        b"http://localhost/health/live/../../tasks/submit",
    ],
)
async def test_no_spelling_of_a_path_does_without_a_key(
    service: Service, way: bytes, target: bytes
) -> None:
    if b"%b" in target:
        target = target.replace(b"%b", service.secrets["admin"].encode())
    answer = await service.submit(way, target=target)
    assert answer.status == 401, (target, answer.body)
    assert service.fakes.submitted == []


async def test_what_is_open_is_open_and_what_only_looks_so_is_not(service: Service) -> None:
    for path, status in (
        (b"/health/live", 200),
        (b"/health/%6Cive", 200),
        (b"/v1/health/ready", 200),
        (b"/health%2Flive", 404),
        (b"/health/live/", 401),
        (b"/health/live%00", 401),
        (b"/health", 401),
        (b"/HEALTH/LIVE", 401),
        (b"/docs/assets/%2e%2e/%2e%2e/tasks", 401),
        (b"/docs/assets/%252e%252e/tasks", 404),
    ):
        answer = await service.ask(b"GET %b HTTP/1.1" % path)
        assert answer.status == status, (path, answer.body)


@pytest.mark.parametrize("method", [b"HEAD", b"OPTIONS", b"PUT", b"PATCH", b"TRACE", b"PROPFIND"])
async def test_no_method_does_without_a_key(service: Service, method: bytes) -> None:
    for path in (b"/tasks", b"/tasks/submit", b"/tasks/t", b"/no/such/path", b"/"):
        line = b"%b %b HTTP/1.1" % (method, path)
        reader, writer = await asyncio.open_connection(*service.places[0])
        writer.write(line + b"\r\nHost: localhost\r\n\r\n")
        async with asyncio.timeout(20):
            status = (await reader.readline()).split()[1]
        writer.close()
        assert status == b"401", (line, status)


@BOTH_WAYS
@pytest.mark.parametrize(
    ("target", "host", "status"),
    [
        (b"http://localhost/tasks/submit", b"localhost", 200),
        (b"HTTPS://LOCALHOST:443/tasks/submit", b"localhost", 200),
        (b"http://localhost/tasks/submit", b"evil.example", 200),
        (b"http://evil.example/tasks/submit", b"evil.example", 421),
        (b"http://evil.example/tasks/submit", b"localhost", 421),
        (b"http://localhost/tasks/submit", None, 400),
        (b"http://user@localhost/tasks/submit", b"localhost", 400),
        (b"http://localhost@evil.example/tasks/submit", b"localhost", 400),
        (b"ftp://localhost/tasks/submit", b"localhost", 400),
        (b"http:/tasks/submit", b"localhost", 400),
        (b"http:///tasks/submit", b"localhost", 400),
    ],
)
async def test_a_target_with_a_host_goes_by_it_and_not_by_the_header(
    service: Service, way: bytes, target: bytes, host: bytes | None, status: int
) -> None:
    """As proxies are asked (RFC 9112, 3.2.2). No browser sends one to a server."""
    answer = await service.submit(way, service.key(), target=target, host=host)
    assert answer.status == status, answer.body
    assert bool(service.fakes.submitted) == (status == 200)


async def test_a_page_is_at_home_by_the_host_of_the_target(service: Service) -> None:
    told = b"Origin: http://evil.example\r\n"
    target = b"http://localhost/tasks/submit"
    answer = await service.submit(told, service.key(), target=target, host=b"evil.example")
    assert answer.status == 403


async def test_a_target_of_a_host_alone_is_its_root(service: Service) -> None:
    for target in (b"http://localhost", b"http://localhost?limit=1"):
        answer = await service.ask(b"GET %b HTTP/1.1" % target, service.key())
        assert answer.status == (await service.ask(b"GET / HTTP/1.1", service.key())).status
    at_two = await service.ask(
        b"GET http://localhost/ HTTP/1.1", b"Host: localhost\r\n", service.key()
    )
    assert at_two.status == 400


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"OPTIONS * HTTP/1.1", 404),
        (b"CONNECT evil.example:443 HTTP/1.1", 400),
        (b"GET evil HTTP/1.1", 400),
    ],
)
async def test_a_target_that_is_no_path_is_refused(
    service: Service, line: bytes, status: int
) -> None:
    answer = await service.ask(line, service.key("admin"))
    assert answer.status == status


@BOTH_WAYS
@pytest.mark.parametrize(
    "key",
    [
        b"Authorization: Bearer ackey_x\r\nX-API-Key: %b\r\n",
        b"X-API-Key: %b\r\nX-API-Key: ackey_x\r\n",
        b"Authorization: Basic %b\r\n",
        b"Authorization: %b\r\n",
        b"Authorization: Bearer %b, Bearer ackey_x\r\n",
        b"Proxy-Authorization: Bearer %b\r\n",
        b"Cookie: token=%b\r\n",
        b"X-Forwarded-User: %b\r\n",
        b"X-API-Key: %b\x00\r\n",
    ],
)
async def test_a_key_in_another_place_or_beside_another_does_not_count(
    service: Service, way: bytes, key: bytes
) -> None:
    told = key.replace(b"%b", service.secrets["producer"].encode())
    answer = await service.submit(way, told)
    assert answer.status == (400 if b"\x00" in key else 401), answer.body
    assert service.fakes.submitted == []


@pytest.mark.parametrize("told", [b"", b"Origin: http://localhost\r\n"])
async def test_an_upgrade_to_a_websocket_is_a_request_like_others(
    service: Service, told: bytes
) -> None:
    upgrade = (
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    )
    token = service.secrets["reader"].encode()
    answer = await service.ask(b"GET /tasks/t?token=%b HTTP/1.1" % token, told, upgrade)
    assert answer.status == 401
    answer = await service.ask(b"GET /tasks/t HTTP/1.1", told, upgrade, service.key("reader"))
    assert answer.status == 200
    answer = await service.ask(b"GET /tasks/t HTTP/1.1", told, upgrade, host=b"evil.example")
    assert answer.status == 421


async def reached(headers: list[tuple[bytes, bytes]], rules: EdgeRules) -> bool:
    """Whether a WebSocket with these headers gets past the guard; it is closed where not."""
    seen: list[Scope] = []
    sent: list[Message] = []

    async def inner(scope: Scope, receive: object, send: object) -> None:
        del receive, send
        seen.append(scope)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": "/below/ws",
        "raw_path": b"/below/ws",
        "headers": headers,
        "server": ("127.0.0.1", 9001),
    }
    await RequestGuard(RootPath(inner, "/below"), rules)(scope, receive, send)
    assert bool(seen) != bool(sent)
    assert [one["path"] for one in seen] in ([], ["/ws"])
    assert [(one["type"], one["code"]) for one in sent] in ([], [("websocket.close", 1008)])
    return bool(seen)


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ([(b"host", b"localhost")], True),
        ([(b"host", b"localhost"), (b"origin", b"http://localhost")], True),
        ([(b"host", b"localhost"), (b"origin", b"https://board.example.org")], True),
        ([(b"host", b"localhost"), (b"origin", b"https://evil.example")], False),
        ([(b"host", b"localhost"), (b"origin", b"null")], False),
        ([(b"host", b"localhost"), (b"sec-fetch-site", b"cross-site")], False),
        ([(b"host", b"evil.example")], False),
        ([(b"host", b"localhost"), (b"host", b"localhost")], False),
    ],
)
async def test_a_page_elsewhere_opens_no_websocket(
    headers: list[tuple[bytes, bytes]], passes: bool
) -> None:
    """There are none yet; whoever adds one finds the guard before it."""
    rules = EdgeRules(origins=("https://board.example.org",))
    assert await reached(headers, rules) is passes
