"""Requests of all kinds, made up from the OpenAPI document, against an application in this loop."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

import httpx
import requests
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.core.transport import Response
from schemathesis.generation.case import Case
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.contract.fakes import over

__all__ = ["answered", "explore"]

AnyCase = Case[Any]

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


STREAMS = {"/events", "/tasks/{task_id}/stream"}


async def explore(
    app: FastAPI, *, examples: int, callers: Sequence[Mapping[str, str] | None] = (None,)
) -> list[Counter[int]]:
    """Send ``examples`` right and as many wrong requests to every operation, the same ones in every
    run, and check every answer against the document; return how often each status was answered. Each
    request is sent once by each of ``callers``, with these headers, and counted for it: making it up takes
    longest. None sends what was made up. Streams are stopped for it, say so with 503 or, to whom comes back
    with a position, with 200, and are not counted.
    """
    statuses: list[Counter[int]] = [Counter() for _ in callers]
    _without_streams(app)
    async with over(app) as client:
        for strategy in _strategies(app):
            # In a thread: the service that is asked goes on meanwhile, and its broker hears from it.
            for case in await asyncio.to_thread(_made_up, strategy, examples):
                for headers, counted in zip(callers, statuses, strict=True):
                    answer = await _send(client, case, also=headers)
                    if case.operation.path not in STREAMS:
                        counted[answer.status_code] += 1
                    checks = CHECKS
                    if case.operation.path in STREAMS:
                        # A stream that is stopped says so with 503, which is no fault of the service.
                        checks = [one for one in CHECKS if one is not not_a_server_error]
                    if answer.headers.get("content-type", "").startswith("text/event-stream"):
                        # In 3.1 the schema is of the whole text; schemathesis takes it for an event's
                        # (findings/stream-schema-taken-for-an-events.sh).
                        checks = [one for one in checks if one is not response_schema_conformance]
                    case.validate_response(Response.from_any(answer), checks=checks)
    return statuses


async def answered(app: FastAPI, *, examples: int) -> AsyncIterator[tuple[str, httpx.Response]]:
    """Send ``examples`` requests that are valid by the document to every operation, the same ones in every
    run; each answer, and the operation in the words of the document.
    """
    _without_streams(app)
    async with over(app) as client:
        for operation in _operations(app):
            strategy = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
            for case in await asyncio.to_thread(_made_up, strategy, examples):
                yield f"{operation.method.upper()} {operation.path}", await _send(client, case)


def _without_streams(app: FastAPI) -> None:
    """Have them answered 503: the client here waits for an answer's end, and a stream has none."""
    app.state.services.feed.stop()


async def _send(
    client: httpx.AsyncClient, case: AnyCase, *, also: Mapping[str, str] | None = None
) -> httpx.Response:
    """``also`` are headers in the place of those that were made up."""
    prepared = requests.Request(**case.as_transport_kwargs(base_url="http://test")).prepare()
    assert prepared.method is not None
    assert prepared.url is not None
    assert prepared.body is None or isinstance(prepared.body, str | bytes)
    headers = {name: str(value) for name, value in prepared.headers.items()}
    if also is not None:
        made_up = ("authorization", "x-api-key")
        headers = {name: value for name, value in headers.items() if name.lower() not in made_up}
        headers |= also
    return await client.request(
        prepared.method, prepared.url, headers=headers, content=prepared.body
    )


def _made_up(strategy: SearchStrategy[AnyCase], count: int) -> list[AnyCase]:
    """Hypothesis wants to call a plain function: all that this one does is to collect."""
    found: list[AnyCase] = []
    limited = settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )

    def collect(case: AnyCase) -> None:
        found.append(case)

    limited(given(case=strategy)(collect))()
    return found


def _strategies(app: FastAPI) -> Iterator[SearchStrategy[AnyCase]]:
    for operation in _operations(app):
        yield operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
        if operation.body:  # nothing else here can be wrong: an id is any text
            yield operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)


def _operations(app: FastAPI) -> Iterator[Any]:
    for result in schemathesis.openapi.from_dict(app.openapi()).get_all_operations():
        assert isinstance(result, Ok)
        yield result.ok()
