"""Every refusal has the same body, whoever refuses: walked over all paths of the document, and all kinds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from coordinator import errors
from coordinator.access.request_rates import RequestRates
from coordinator.api.error_bodies import CODES, code_of
from coordinator.api.error_table import status_of
from coordinator.errors import (
    BrokerUnavailable,
    LedgerUnavailable,
    OutcomeUnknown,
    TopologyConflict,
)
from coordinator.web_server.http_server import serving
from coordinator.web_server.metrics_application import metrics_application
from coordinator.web_server.server_socket import bind
from tests.support.api_keys import authenticator_with

from .error_bodies import KNOWN, own_of, said
from .fakes import Fakes, over
from .test_access import CALLS, HOLDERS, STREAMS, bearer, guarded

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
WITHOUT_FAILURE = {"health", "root", "metrics", "whoami", "stream_events", "stream_task"}
"""Endpoints that ask nothing that could fail here, or are asked for by HEAD in `CALLS`."""

FAILING = sorted(CALLS.keys() - WITHOUT_FAILURE)


def operations(app: FastAPI) -> Iterator[tuple[str, set[str]]]:
    """Each path of the document, and the methods that it has."""
    for path, methods in app.openapi()["paths"].items():
        told = {method.upper() for method in methods}
        yield path, told | ({"HEAD"} if "GET" in told else set())


def fits(app: FastAPI, body: Any) -> bool:
    """Whether it is as the document describes every error."""
    schemas = app.openapi()["components"]["schemas"]
    whole = {"$ref": "#/components/schemas/Error", "components": {"schemas": schemas}}
    return bool(Draft202012Validator(whole).is_valid(body))


@pytest.mark.parametrize("prefix", ["", "/v1"])
async def test_every_path_answers_the_methods_that_it_lacks_with_those_that_it_has(
    prefix: str,
) -> None:
    app, asked = Fakes().app(), 0
    async with over(app) as http:
        for path, allowed in [*operations(app), ("/ws", {"GET", "HEAD"})]:
            for method in set(METHODS) - allowed:
                answer = await http.request(method, prefix + path.replace("{priority}", "low"))
                assert answer.status_code == 405, (method, path)
                assert answer.headers["Allow"] == ", ".join(sorted(allowed)), (method, path)
                asked += 1
                if method != "HEAD":
                    assert fits(app, answer.json())
                    assert said(answer).keys() == {"detail"}
                    assert answer.json()["code"] == "method_not_allowed"
    assert asked > 150


@pytest.mark.parametrize("endpoint", FAILING)
@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (RuntimeError("boom"), 500, "internal_error"),
        (BrokerUnavailable(), 503, "broker_unavailable"),
        (LedgerUnavailable(), 503, "ledger_unavailable"),
        (OutcomeUnknown(task_id="t"), 503, "outcome_unknown"),
        (TopologyConflict(), 503, "operator_needed"),
    ],
    ids=lambda told: type(told).__name__ if isinstance(told, Exception) else None,
)
async def test_every_endpoint_says_that_something_failed_in_the_same_shape(
    endpoint: str, failure: Exception, status: int, code: str
) -> None:
    fakes = Fakes()
    app = fakes.app()
    fakes.failure = failure
    method, path, body, _ = CALLS[endpoint]
    async with over(app) as http:
        answer = await http.request(method, path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert said(answer).keys() <= {"detail", "reason", "task_id"}
    assert fits(app, answer.json())


async def test_a_credential_that_is_missing_does_not_suffice_or_asks_too_often_has_it_too() -> None:
    app, _, secrets = await guarded()
    async with over(app) as http:
        for method, path, body, may in CALLS.values():
            if path in STREAMS:
                continue
            nobody = await http.request(method, path, json=body)
            assert (nobody.status_code, nobody.json()["code"]) == (401, "not_authenticated")
            assert said(nobody).keys() == {"detail"}
            for other in HOLDERS.keys() - may - {"other", "producer", "agent"}:
                answer = await http.request(method, path, json=body, headers=bearer(secrets[other]))
                assert (answer.status_code, answer.json()["code"]) == (403, "role_missing")
                assert said(answer).keys() == {"detail"}
                assert fits(app, answer.json())
    many, _, secrets = await guarded(rates=RequestRates("1/hour"))
    async with over(many) as http:
        answers = [await http.get("/tasks", headers=bearer(secrets["reader"])) for _ in range(3)]
    assert (answers[-1].status_code, answers[-1].json()["code"]) == (429, "too_many_requests")
    assert said(answers[-1]).keys() == {"detail"}


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"method": "GET", "url": "/nowhere"}, 404, "path_not_found"),
    ({"method": "GET", "url": "/docs/assets/nothing.js"}, 404, "path_not_found"),
    ({"method": "GET", "url": "/tasks/nothing"}, 404, "task_not_found"),
    ({"method": "GET", "url": "/agents/nobody"}, 404, "agent_not_found"),
    ({"method": "GET", "url": "/groups/none"}, 404, "group_not_found"),
    ({"method": "GET", "url": "/schedules/none"}, 404, "schedule_not_found"),
    ({"method": "GET", "url": "/parked/7"}, 404, "parked_not_found"),
    ({"method": "GET", "url": "/metrics"}, 404, "not_found"),
    ({"method": "GET", "url": "/tasks?colour=red"}, 422, "invalid_request"),
    (
        {"method": "GET", "url": "/events", "headers": {"Accept": "text/html"}},
        406,
        "not_acceptable",
    ),
    ({"method": "GET", "url": "/ws"}, 426, "upgrade_required"),
    ({"method": "POST", "url": "/tasks/submit", "json": {}}, 422, "invalid_request"),
    ({"method": "POST", "url": "/tasks/submit", "json": []}, 422, "invalid_request"),
    ({"method": "POST", "url": "/tasks/submit", "content": b"{"}, 422, "invalid_request"),
    (
        {"method": "POST", "url": "/tasks/submit", "json": {"task_data": {}, "priority": "soon"}},
        400,
        "invalid_priority",
    ),
    ({"method": "POST", "url": "/tasks/submit", "content": b"x" * 2**21}, 413, "payload_too_large"),
    (
        {
            "method": "POST",
            "url": "/tasks/submit",
            "content": b"x",
            "headers": {"Content-Encoding": "gzip"},
        },
        415,
        "unsupported_media_type",
    ),
    (
        {"method": "GET", "url": "/health", "headers": {"Host": "evil.example"}},
        421,
        "misdirected_request",
    ),
    ({"method": "GET", "url": "/health", "headers": {"Host": "a/b"}}, 400, "bad_request"),
    (
        {"method": "POST", "url": "/tasks/t/cancel", "headers": {"Origin": "http://evil.example"}},
        403,
        "origin_not_allowed",
    ),
    ({"method": "DELETE", "url": "/tasks/nothing?dry_run=1"}, 422, "invalid_request"),
]


@pytest.mark.parametrize(
    ("request_", "status", "code"), REFUSED, ids=[f"{status}-{code}" for _, status, code in REFUSED]
)
async def test_every_kind_of_refusal_has_its_word(
    request_: dict[str, Any], status: int, code: str
) -> None:
    app = Fakes().app()
    async with over(app) as http:
        answer = await http.request(**request_)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert said(answer).keys() == ({"detail", "errors"} if status == 422 else {"detail"})
    assert fits(app, answer.json())


async def test_a_service_that_is_not_ready_says_so_in_the_shape_of_an_error() -> None:
    fakes = Fakes()
    fakes.in_the_way = ["The broker is away."]
    async with over(fakes.app()) as http:
        answer = await http.get("/health/ready")
    assert said(answer) == {"detail": "The broker is away."}
    assert answer.json()["code"] == "not_ready"


async def test_the_error_of_a_task_in_a_batch_is_that_of_the_task_alone() -> None:
    async with over(Fakes().app()) as http:
        wrong = {"task_data": {}, "priority": "soon"}
        told = (await http.post("/tasks/submit/batch", json={"tasks": [wrong]})).json()
    error = told["results"][0]["error"]
    assert own_of(error) == {"status_code": 400, "detail": "Invalid priority: soon"}
    assert error["code"] == "invalid_priority"


async def test_a_fault_before_the_endpoints_is_a_500_of_the_same_shape() -> None:
    _, secrets = await authenticator_with(**HOLDERS)

    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("boom")

    async with over(Fakes().app(authenticator=Broken())) as http:
        answer = await http.get("/tasks", headers=bearer(secrets["reader"]))
    assert (answer.status_code, said(answer)) == (500, {"detail": "Internal error: boom"})


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Sec-WebSocket-Version": "12"}, 400, "bad_request"),
        ({"Sec-WebSocket-Key": "short"}, 400, "bad_request"),
        ({"Host": "attacker.example"}, 421, "misdirected_request"),
        ({"Origin": "http://evil.example"}, 403, "origin_not_allowed"),
    ],
)
async def test_a_handshake_of_websocket_that_is_refused_has_it_too(
    headers: dict[str, str], status: int, code: str
) -> None:
    listener = bind("127.0.0.1", 0)
    asked = {
        "Host": "localhost",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    } | headers
    async with serving(Fakes().app(), listener):
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        lines = ["GET /ws HTTP/1.1", *(f"{name}: {value}" for name, value in asked.items()), "", ""]
        writer.write("\r\n".join(lines).encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].split()[0])
        body = json.loads(await reader.readexactly(length))
        writer.close()
    assert (int(head.split()[1]), body["code"]) == (status, code)
    assert "content-type: application/json" in head
    assert own_of(body).keys() == {"detail"}


async def test_a_websocket_without_its_credential_has_it_too() -> None:
    app, _, _ = await guarded()
    listener = bind("127.0.0.1", 0)
    async with serving(app, listener):
        host, port = listener.getsockname()
        with pytest.raises(InvalidStatus) as refused:
            async with connect(f"ws://{host}:{port}/ws"):
                pass
    body = json.loads(refused.value.response.body or b"")
    assert own_of(body).keys() == {"detail"}
    assert body["code"] == "not_authenticated"


async def test_the_listener_of_the_metrics_has_it_too() -> None:
    async def scrape(_: str) -> tuple[bytes, str]:
        return b"", "text/plain"

    transport = httpx.ASGITransport(metrics_application(scrape))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        answer = await http.get("/tasks")
    assert answer.status_code == 404
    assert said(answer).keys() == {"detail"}


def test_each_error_that_reaches_a_caller_has_a_word_and_no_word_two_statuses() -> None:
    statuses: dict[str, set[int]] = {}
    for name in errors.__all__:
        kind = getattr(errors, name)
        if issubclass(kind, errors.RequestError | errors.Unavailable | errors.OperatorError):
            exc = kind.__new__(kind)
            statuses.setdefault(code_of(exc), set()).add(status_of(exc))
    assert {code: told for code, told in statuses.items() if len(told) > 1} == {}
    assert statuses.keys() <= KNOWN
    assert statuses.keys() >= {*CODES.values()} - {"bad_request"}
