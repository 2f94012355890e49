"""Requests of httpx to an application in the same process."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from coordinator.dashboard.asgi_transport import AsgiTransport


def client(app: Any) -> httpx.AsyncClient:
    transport = AsgiTransport(app, ("192.0.2.7", 1234))
    return httpx.AsyncClient(base_url="http://127.0.0.1", transport=transport)


async def test_the_application_is_told_what_was_asked_and_by_whom() -> None:
    told: dict[str, Any] = {}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        told.update(scope, body=(await receive())["body"])
        await send({"type": "http.response.start", "status": 201, "headers": [(b"a", b"b")]})
        await send({"type": "http.response.body", "body": b"done"})

    async with client(app) as http:
        answer = await http.post("/tasks/a%2Fb?x=1", content=b"{}", headers={"X-Y": "z"})
    assert (answer.status_code, answer.headers["a"], answer.text) == (201, "b", "done")
    assert (told["method"], told["path"], told["raw_path"]) == (
        "POST",
        "/tasks/a/b",
        b"/tasks/a%2Fb",
    )
    assert (told["query_string"], told["body"]) == (b"x=1", b"{}")
    assert told["client"] == ("192.0.2.7", 1234)
    assert (b"x-y", b"z") in told["headers"]


async def test_a_stream_comes_piece_by_piece_and_its_end_is_told_to_the_application() -> None:
    goes_on, gone = asyncio.Event(), asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await goes_on.wait()
        await send({"type": "http.response.body", "body": b"two", "more_body": True})
        try:
            await receive()
        finally:
            gone.set()

    async with client(app) as http, http.stream("GET", "/events") as answer:
        pieces = answer.aiter_bytes()
        assert await anext(pieces) == b"one"
        goes_on.set()
        assert await anext(pieces) == b"two"
        assert not gone.is_set()
    assert gone.is_set()


async def test_an_application_that_fails_is_an_error_and_a_line_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError("it is so")

    with caplog.at_level(logging.ERROR), pytest.raises(httpx.ReadError):
        async with client(app) as http:
            await http.get("/")
    assert "the API failed while it answered the dashboard" in caplog.text
