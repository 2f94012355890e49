"""Every request that is answered with an error is counted once, wherever it was refused; others are not."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from coordinator.access.request_rates import RequestRates
from coordinator.access.roles import Role
from coordinator.web_server.connection_bounds import ConnectionBounds
from coordinator.web_server.http_server import serving
from coordinator.web_server.server_options import ServerOptions
from coordinator.web_server.server_socket import bind
from tests.support.api_keys import authenticator_with

from .fakes import Fakes, a_task, over

TASK = {"task_data": {"task_type": "count"}}


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"method": "GET", "url": "/tasks/t"}, 200),
        ({"method": "POST", "url": "/tasks/submit", "json": TASK}, 200),
        ({"method": "GET", "url": "/tasks/t", "headers": {"Host": "evil.example"}}, 421),
        (
            {
                "method": "POST",
                "url": "/tasks/t/cancel",
                "headers": {"Origin": "http://evil.example"},
            },
            403,
        ),
        ({"method": "GET", "url": "/nothing/here"}, 404),
        ({"method": "HEAD", "url": "/tasks/unknown"}, 404),
        ({"method": "PATCH", "url": "/tasks/submit"}, 405),
        ({"method": "POST", "url": "/tasks/submit", "json": {}}, 422),
        ({"method": "POST", "url": "/tasks/submit", "json": TASK | {"priority": "no"}}, 400),
        ({"method": "POST", "url": "/tasks/submit", "content": b"x" * 2_000_000}, 413),
    ],
    ids=lambda told: "-".join(map(str, told.values()))[:40] if isinstance(told, dict) else None,
)
async def test_an_error_counts_once_wherever_it_is_found(
    request_: dict[str, Any], status: int
) -> None:
    fakes, noted = Fakes(), list[int]()
    fakes.tasks["t"] = a_task()
    async with over(fakes.app(note_error=noted.append)) as http:
        assert (await http.request(**request_)).status_code == status
    assert noted == [status] * (status >= 400)


async def test_who_has_no_credential_not_the_role_or_too_many_requests_is_counted() -> None:
    noted = list[int]()
    authenticator, secrets = await authenticator_with(reader=(Role.READER,))
    app = Fakes().app(
        note_error=noted.append,
        authenticator=authenticator,
        rates=RequestRates("2/hour"),
    )
    async with over(app) as http:
        assert (await http.get("/tasks")).status_code == 401
        told = {"Authorization": f"Bearer {secrets['reader']}"}
        assert (await http.post("/tasks/submit", json=TASK, headers=told)).status_code == 403
        assert (await http.get("/tasks/status", headers=told)).status_code == 200
        assert (await http.get("/tasks/status", headers=told)).status_code == 429
    assert noted == [401, 403, 429]


SOON = ConnectionBounds(head_seconds=0.2, connections=1)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX-Filled: " + b"x" * 70_000, 431),
        (b"GET / HTT", 408),
    ],
)
async def test_what_the_server_refuses_by_itself_is_counted(sent: bytes, status: int) -> None:
    noted = list[int]()
    listener = bind("127.0.0.1", 0)
    where = listener.getsockname()
    options = ServerOptions(bounds=SOON)
    async with serving(Fakes().app(), listener, options, note_error=noted.append):
        reader, writer = await asyncio.open_connection(*where)
        one_more, its_writer = await asyncio.open_connection(*where)
        assert (await one_more.read()).startswith(b"HTTP/1.1 503 ")
        writer.write(sent)
        assert (await reader.read()).startswith(b"HTTP/1.1 %d " % status)
        for each in (writer, its_writer):
            each.close()
            with contextlib.suppress(ConnectionError):
                await each.wait_closed()
    assert noted == [503, status]
